-- The tables that grow, with their indexes: those of a few rows are lists that stay as they are.
select pg_class.oid::int8 as oid
  from pg_class
  left join pg_index on indexrelid = pg_class.oid
  join pg_class as tables on tables.oid = coalesce(indrelid, pg_class.oid)
 where pg_class.relkind in ('r', 'm', 'i')
   and tables.reltuples >= 1000
   and pg_class.oid >= 16384
