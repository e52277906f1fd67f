-- Take the oldest rows; they come back if the transaction does not commit.
DELETE FROM pitstop_outbox
 WHERE id IN (
     SELECT id FROM pitstop_outbox
      WHERE namespace = %(namespace)s
      ORDER BY id
      LIMIT 500
        FOR UPDATE SKIP LOCKED
 )
RETURNING tags
