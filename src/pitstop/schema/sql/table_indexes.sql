-- The valid indexes of a table, with the index of the parent that each belongs to.
select relations.relname as name,
       pg_get_indexdef(indexrelid) as definition,
       (select inhparent::int8 from pg_inherits where inhrelid = indexrelid limit 1) as parent
  from pg_index
  join pg_class as relations on relations.oid = indexrelid
 where indrelid = to_regclass(%s)
   and indisvalid and indisready and indislive
 order by name
