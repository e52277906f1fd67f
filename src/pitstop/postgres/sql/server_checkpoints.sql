-- Checkpoints that came by the clock, and those forced by the amount of WAL, before PostgreSQL 17.
select checkpoints_timed as timed, checkpoints_req as requested,
       (select wal_bytes::bigint from pg_stat_wal) as wal_bytes
  from pg_stat_bgwriter
