-- What the server counted since its statistics were reset, and who is connected now.
select current_setting('server_version_num')::int as version,
       current_database() as database,
       extract(epoch from now() - pg_postmaster_start_time())::float8 as up_s,
       extract(epoch from now() - coalesce(min(stats_reset), pg_postmaster_start_time()))::float8 as counted_s,
       coalesce(sum(temp_files), 0)::bigint as temp_files,
       coalesce(sum(temp_bytes), 0)::bigint as temp_bytes,
       coalesce(sum(blks_hit), 0)::bigint as blocks_hit,
       coalesce(sum(blks_read), 0)::bigint as blocks_read,
       coalesce(sum(deadlocks), 0)::bigint as deadlocks,
       (select coalesce(sum(pg_database_size(oid)), 0)::bigint
          from pg_database
         where datallowconn and has_database_privilege(oid, 'connect')) as data_bytes,
       (select count(*) from pg_stat_activity where backend_type = 'client backend') as connections,
       (select count(*) from pg_stat_activity
         where state like 'idle in transaction%' and now() - state_change > interval '1 minute')
           as idle_in_transaction,
       (select coalesce(max(extract(epoch from now() - state_change)), 0)::float8 from pg_stat_activity
         where state like 'idle in transaction%') as longest_idle_in_transaction_s,
       exists (select from pg_available_extensions where name = 'pg_stat_statements') as has_statements,
       pg_is_in_recovery() as is_standby
  from pg_stat_database
