-- How many pages each relation of the user has now; the planner asks the file, not the statistics.
select format('%I.%I', nspname, relname) as name,
       pg_relation_size(pg_class.oid) / current_setting('block_size')::int as pages
  from pg_class
  join pg_namespace on pg_namespace.oid = relnamespace
 where relkind in ('r', 'i', 'm')
   and relpersistence <> 't'
   and nspname not in ('pg_catalog', 'information_schema')
   and nspname !~ '^pg_(toast|temp)'
   and pg_relation_size(pg_class.oid) > 0
