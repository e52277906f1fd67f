-- The statements that remove what was installed: triggers, functions, the table.
SELECT statement
  FROM (
      SELECT 1 AS step, format('DROP TRIGGER %%I ON %%s', tgname, tgrelid::regclass) AS statement
        FROM pg_trigger
        JOIN pg_proc ON pg_proc.oid = tgfoid
       WHERE proname LIKE 'pitstop\_tell\_%%' AND pronamespace = to_regnamespace(%(schema)s) AND NOT tgisinternal
      UNION ALL
      SELECT 2, format('DROP FUNCTION %%s', pg_proc.oid::regprocedure)
        FROM pg_proc
       WHERE proname LIKE 'pitstop\_tell\_%%' AND pronamespace = to_regnamespace(%(schema)s)
      UNION ALL
      SELECT 3, format('DROP TABLE %%s', pg_class.oid::regclass)
        FROM pg_class
       WHERE relname = 'pitstop_outbox' AND relkind = 'r' AND relnamespace = to_regnamespace(%(schema)s)
      UNION ALL
      SELECT 4, format('DROP FUNCTION %%s', pg_proc.oid::regprocedure)
        FROM pg_proc
       WHERE proname = 'pitstop_outbox_settle' AND pronamespace = to_regnamespace(%(schema)s)
  ) AS steps
 ORDER BY step, statement
