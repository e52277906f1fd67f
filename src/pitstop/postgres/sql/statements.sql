-- The statements of this database, most time first, but for questions like this one; a text that we may
-- not read is null.
select case when query <> '<insufficient privilege>' then query end as text,
       calls,
       total_exec_time as total_ms,
       mean_exec_time as mean_ms,
       max_exec_time as max_ms,
       rows,
       shared_blks_hit as blocks_hit,
       shared_blks_read as blocks_read
  from {schema}.pg_stat_statements
 where dbid = (select oid from pg_database where datname = current_database())
   and query is not null
   and query not like '%pg\_stat\_statements%'
 order by total_exec_time desc
 limit 5000
