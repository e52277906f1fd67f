-- The partitions one floor below a table; foreign ones have no indexes of ours.
select names.nspname as schema,
       relations.relname as name
  from pg_inherits
  join pg_class as relations on relations.oid = inhrelid
  join pg_namespace as names on names.oid = relations.relnamespace
 where inhparent = to_regclass(%s)
   and relations.relkind in ('r', 'p')
 order by schema, name
