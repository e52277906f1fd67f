-- Show these indexes to the planner and hide all others of those that were made up; it skips invalid ones.
update pg_index
   set indisvalid = indexrelid = any(%(shown)s::oid[])
 where indexrelid = any(%(all)s::oid[])
   and indisvalid <> (indexrelid = any(%(shown)s::oid[]))
