-- For this transaction: a bound on its idle time, unless it has a shorter one; what is fenced, which triggers skip; and a
-- lock that tells others of a commit under way, should the fence be lost. Gives the settings as they were.
SELECT before.fenced,
       before.idle,
       set_config(
           'pitstop.fenced',
           CAST(CAST(coalesce(nullif(before.fenced, ''), '{}') AS text[]) || CAST(:fenced AS text[]) AS text),
           true
       ),
       CASE
           WHEN extract(epoch FROM CAST(before.idle AS interval)) * 1000 NOT BETWEEN 1 AND :most
           THEN set_config('idle_in_transaction_session_timeout', :ms, true)
       END,
       pg_advisory_xact_lock_shared(CAST(:lock AS bigint))
  FROM (
       SELECT current_setting('pitstop.fenced', true) AS fenced,
              current_setting('idle_in_transaction_session_timeout') AS idle
       OFFSET 0
  ) AS before
