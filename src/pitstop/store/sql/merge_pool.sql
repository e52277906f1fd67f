INSERT INTO pool (name, waits, exhausted, wait_ms, max_wait_ms, held_by)
VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET
    waits = waits + excluded.waits,
    exhausted = exhausted + excluded.exhausted,
    wait_ms = wait_ms + excluded.wait_ms,
    max_wait_ms = max(max_wait_ms, excluded.max_wait_ms),
    held_by = CASE excluded.held_by WHEN '' THEN held_by ELSE excluded.held_by END
