-- How many statements this database was sent so far, transaction control and settings left out,
-- and this very question too (the word in the comment inside it is how it is known).
SELECT /* pitstop_bench */ coalesce(sum(s.calls), 0)::bigint
FROM pg_stat_statements AS s
JOIN pg_database AS d ON d.oid = s.dbid
WHERE d.datname = current_database()
  AND s.query !~* '^\s*(begin|start|commit|end|rollback|abort|savepoint|release|set|reset|show|discard|deallocate|close|listen|unlisten)\y'
  AND s.query !~ 'pitstop_bench'
