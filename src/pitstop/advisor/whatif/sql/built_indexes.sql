-- The indexes that a statement has just built, first the one that it names, then those of partitions.
select pg_index.indexrelid::int8 as oid,
       relations.relname as name,
       format('%%I.%%I', nspname, tables.relname) as "table",
       pg_relation_size(pg_index.indexrelid) as bytes
  from pg_index
  join pg_class as relations on relations.oid = pg_index.indexrelid
  join pg_class as tables on tables.oid = pg_index.indrelid
  join pg_namespace on pg_namespace.oid = tables.relnamespace
 where pg_index.indexrelid::int8 > %(before)s
   and nspname not like 'pg\_%%'
 order by tables.relkind <> 'p', pg_index.indexrelid
