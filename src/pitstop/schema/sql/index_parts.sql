-- The indexes with rows below a partitioned index; of any other, itself.
select names.nspname as schema,
       relations.relname as name
  from (select to_regclass(%s)::oid as oid) as asked
  left join lateral pg_partition_tree(asked.oid) as tree on true
  join pg_class as relations on relations.oid = coalesce(tree.relid, asked.oid)
  join pg_namespace as names on names.oid = relations.relnamespace
 where relations.relkind = 'i'
 order by schema, name
