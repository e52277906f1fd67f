-- What stands under the name of an index: whether it is one, what it is made of and who depends on it.
select relations.oid::int8 as oid,
       relations.relkind in ('i', 'I') as is_index,
       relations.relkind = 'I' as partitioned,
       names.nspname as schema,
       relations.relname as name,
       table_names.nspname as table_schema,
       tables.relname as table_name,
       coalesce(indisvalid and indisready and indislive, false) as valid,
       coalesce(indisreplident, false) as is_identity,
       coalesce(indisexclusion, false) as is_exclusion,
       pg_get_indexdef(pg_index.indexrelid) as definition,
       (select conname::text from pg_constraint
         where conindid = relations.oid and contype in ('p', 'u', 'x') limit 1) as constraint_name,
       (select inhparent::int8 from pg_inherits where inhrelid = relations.oid limit 1) as parent,
       -- of other users' builds only the process is told: its lock on the table says which it is
       (select progress.pid from pg_stat_progress_create_index as progress
         where progress.datname = current_database()
           and (progress.index_relid = relations.oid or progress.index_relid is null)
           and exists (select from pg_locks
                        where pg_locks.pid = progress.pid and relation = pg_index.indrelid
                          and mode = 'ShareUpdateExclusiveLock' and granted) limit 1) as builder
  from pg_class as relations
  join pg_namespace as names on names.oid = relations.relnamespace
  left join pg_index on pg_index.indexrelid = relations.oid
  left join pg_class as tables on tables.oid = pg_index.indrelid
  left join pg_namespace as table_names on table_names.oid = tables.relnamespace
 where relations.oid = to_regclass(%s)
