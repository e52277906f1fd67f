-- How each table of the user is read.
select relid::regclass::text as name,
       greatest(n_live_tup, reltuples, 0)::bigint as rows,
       coalesce(seq_scan, 0) as seq_scans,
       coalesce(seq_tup_read, 0) as seq_rows_read,
       coalesce(idx_scan, 0) as index_scans,
       schemaname || '.' || pg_stat_user_tables.relname as qualified_name
  from pg_stat_user_tables
  join pg_class on pg_class.oid = relid
 order by seq_tup_read desc nulls last, name
