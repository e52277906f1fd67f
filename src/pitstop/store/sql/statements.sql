SELECT scope_kind, scope, fingerprint, location, coalesce(text, ''), calls, total_ms, max_ms, rows, last_seen, skipped
FROM statement LEFT JOIN statement_text USING (fingerprint)
ORDER BY total_ms DESC
