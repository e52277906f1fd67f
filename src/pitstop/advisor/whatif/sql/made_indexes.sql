-- The indexes that a statement has just made: first the one it names, then those of partitions.
select pg_index.indexrelid::int8 as oid,
       relations.relname as name,
       format('%%I.%%I', nspname, tables.relname) as "table"
  from pg_index
  join pg_class as relations on relations.oid = pg_index.indexrelid
  join pg_class as tables on tables.oid = pg_index.indrelid
  join pg_namespace on pg_namespace.oid = tables.relnamespace
 where pg_index.indexrelid::int8 > %(before)s
 order by pg_index.indrelid <> %(table)s::regclass, pg_index.indexrelid
