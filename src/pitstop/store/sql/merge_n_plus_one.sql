INSERT INTO n_plus_one (
    scope_kind, scope, kind, parent, relationship, query_location, location,
    cure, imports, is_expression, requests, extra, max_extra, total_ms, last_seen, callers
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET
    cure = excluded.cure,
    imports = excluded.imports,
    is_expression = excluded.is_expression,
    requests = requests + excluded.requests,
    extra = extra + excluded.extra,
    max_extra = max(max_extra, excluded.max_extra),
    total_ms = total_ms + excluded.total_ms,
    last_seen = max(last_seen, excluded.last_seen)
