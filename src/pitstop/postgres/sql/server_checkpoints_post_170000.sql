-- Checkpoints that came by the clock, and those forced by the amount of WAL, from PostgreSQL 17 on.
select num_timed as timed, num_requested as requested from pg_stat_checkpointer
