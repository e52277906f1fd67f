-- Written as it was, a row of pg_class makes every server process read the table's list of indexes anew.
update pg_class
   set relpages = relpages
 where oid in (select indrelid from pg_index where indexrelid = any(%(all)s::oid[]))
