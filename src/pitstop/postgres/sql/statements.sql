-- The statements of this database that took the most time since the statistics were reset.
select query as text,
       calls,
       total_exec_time as total_ms,
       mean_exec_time as mean_ms,
       max_exec_time as max_ms,
       rows
  from {schema}.pg_stat_statements
 where dbid = (select oid from pg_database where datname = current_database())
   and query is not null
 order by total_exec_time desc
 limit 200
