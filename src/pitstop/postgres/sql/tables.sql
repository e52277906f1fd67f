-- How each table of the user is read.
select relid::regclass::text as name,
       n_live_tup as rows,
       coalesce(seq_scan, 0) as seq_scans,
       coalesce(seq_tup_read, 0) as seq_rows_read,
       coalesce(idx_scan, 0) as index_scans
  from pg_stat_user_tables
 order by seq_tup_read desc nulls last, name
