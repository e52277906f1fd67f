-- How many rows wait, and for how many seconds the oldest does.
SELECT count(*), CAST(extract(epoch FROM now() - min(created_at)) AS double precision)
  FROM pitstop_outbox
 WHERE namespace = %(namespace)s
