-- a quarter of each table goes: what cost the least time
DELETE FROM statement WHERE total_ms <= (
    SELECT total_ms FROM statement ORDER BY total_ms LIMIT 1 OFFSET (SELECT count(*) / 4 FROM statement)
);
DELETE FROM statement_text WHERE fingerprint NOT IN (SELECT fingerprint FROM statement);
DELETE FROM statement_latency WHERE fingerprint NOT IN (SELECT fingerprint FROM statement);
DELETE FROM unused_column WHERE fingerprint NOT IN (SELECT fingerprint FROM statement);
DELETE FROM n_plus_one WHERE total_ms <= (
    SELECT total_ms FROM n_plus_one ORDER BY total_ms LIMIT 1 OFFSET (SELECT count(*) / 4 FROM n_plus_one)
) AND (SELECT count(*) FROM n_plus_one) > 1000;
DELETE FROM scope WHERE total_ms <= (
    SELECT total_ms FROM scope ORDER BY total_ms LIMIT 1 OFFSET (SELECT count(*) / 4 FROM scope)
) AND (SELECT count(*) FROM scope) > 1000;
DELETE FROM latency WHERE (kind, name) NOT IN (SELECT kind, name FROM scope);
