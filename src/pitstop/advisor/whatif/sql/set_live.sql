-- Let these indexes be there, and all others of those that were built not: neither read nor kept up.
update pg_index
   set indisvalid = indexrelid = any(%(live)s::oid[]),
       indisready = indexrelid = any(%(live)s::oid[]),
       indislive = indexrelid = any(%(live)s::oid[])
 where indexrelid = any(%(all)s::oid[])
   and indislive <> (indexrelid = any(%(live)s::oid[]))
