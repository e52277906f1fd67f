-- How far the counts of index scans may be trusted.
select extract(epoch from now() - greatest(stats_reset, pg_postmaster_start_time())) / 86400 as days,
       pg_is_in_recovery() as is_replica,
       (select count(*) from pg_stat_replication) as replicas
  from pg_stat_database
 where datname = current_database()
