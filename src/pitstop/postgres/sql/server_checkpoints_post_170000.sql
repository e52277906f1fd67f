-- Checkpoints that came by the clock, and those forced by the amount of WAL, from PostgreSQL 17 on.
select num_timed as timed, num_requested as requested,
       (select wal_bytes::bigint from pg_stat_wal) as wal_bytes
  from pg_stat_checkpointer
