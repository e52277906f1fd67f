-- Where the relations of the user lie, below the data directory.
select format('%I.%I', nspname, relname) as name,
       relkind::text as kind,
       coalesce(amname, '') as method,
       pg_relation_filepath(pg_class.oid) as path,
       pg_class.oid::int8 as oid
  from pg_class
  join pg_namespace on pg_namespace.oid = relnamespace
  left join pg_am on pg_am.oid = relam
 where relkind in ('r', 'i', 'm')
   and relpersistence <> 't'
   and nspname not in ('pg_catalog', 'information_schema')
   and nspname !~ '^pg_(toast|temp)'
 order by name
