-- Let every table of more than a thousand rows, and its indexes, have so many times the rows and pages.
update pg_class
   set reltuples = reltuples * %(scale)s,
       relpages = least(relpages * %(scale)s::int8, 2147483647)::int,
       relallvisible = least(relallvisible * %(scale)s::int8, 2147483647)::int
 where relkind in ('r', 'm', 'i')
   and reltuples > 0
   and oid = any(%(grown)s::oid[])
