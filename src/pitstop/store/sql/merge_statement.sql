INSERT INTO statement (scope_kind, scope, fingerprint, location, calls, total_ms, max_ms, rows, last_seen, skipped)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET
    calls = calls + excluded.calls,
    total_ms = total_ms + excluded.total_ms,
    max_ms = max(max_ms, excluded.max_ms),
    rows = CASE WHEN rows < 0 THEN excluded.rows WHEN excluded.rows < 0 THEN rows ELSE rows + excluded.rows END,
    last_seen = max(last_seen, excluded.last_seen),
    skipped = skipped + excluded.skipped
