-- The invalid indexes of the table of an index, without itself.
select names.nspname as schema,
       relations.relname as name
  from pg_index
  join pg_class as relations on relations.oid = indexrelid and relations.relkind = 'i'
  join pg_namespace as names on names.oid = relations.relnamespace
 where not (indisvalid and indisready and indislive)
   and indrelid = (select same.indrelid from pg_index as same where same.indexrelid = %s)
 order by name
