-- Write tags down. Who drains the outbox waits for this transaction: by the lock, which ends with it.
WITH held AS (
    SELECT pg_advisory_xact_lock_shared(hashtextextended('pitstop_outbox ' || CAST(:namespace AS text), 0))
)
INSERT INTO pitstop_outbox (namespace, tags)
SELECT :namespace, CAST(:tags AS text[]) FROM held
