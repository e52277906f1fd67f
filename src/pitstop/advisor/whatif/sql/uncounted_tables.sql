-- Tables that nobody has analysed yet.
select pg_class.oid::int8 as oid,
       format('%I.%I', nspname, relname) as name
  from pg_class
  join pg_namespace on pg_namespace.oid = relnamespace
 where relkind in ('r', 'm')
   and reltuples < 0
   and nspname not in ('pg_catalog', 'information_schema')
   and nspname !~ '^pg_'
