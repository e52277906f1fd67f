-- Wait for the transactions that are writing tags down: what they wrote is seen after this.
SELECT pg_advisory_xact_lock(hashtextextended('pitstop_outbox ' || %(namespace)s, 0))
