-- For this transaction: a bound on its idle time, unless it has a shorter one, and what is fenced, which triggers skip.
SELECT set_config(
           'pitstop.fenced',
           CAST(CAST(coalesce(nullif(current_setting('pitstop.fenced', true), ''), '{}') AS text[]) || CAST(:fenced AS text[]) AS text),
           true
       ),
       CASE
           WHEN extract(epoch FROM CAST(current_setting(name) AS interval)) * 1000 NOT BETWEEN 1 AND :most
           THEN set_config(name, :ms, true)
       END
  FROM (SELECT 'idle_in_transaction_session_timeout' AS name) AS setting
