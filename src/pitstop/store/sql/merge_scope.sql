INSERT INTO scope (kind, name, count, errors, total_ms, max_ms, statements, max_statements, first_seen, last_seen)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET
    count = count + excluded.count,
    errors = errors + excluded.errors,
    total_ms = total_ms + excluded.total_ms,
    max_ms = max(max_ms, excluded.max_ms),
    statements = statements + excluded.statements,
    max_statements = max(max_statements, excluded.max_statements),
    first_seen = min(first_seen, excluded.first_seen),
    last_seen = max(last_seen, excluded.last_seen)
