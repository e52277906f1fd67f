-- Of each column the most common value, where it has many times the rows of a value on average.
-- A name that several schemas have is left out: a plan does not say which is meant.
select asked.name, asked.attribute, (most_common_vals::text::text[])[1], most_common_freqs[1]::float8,
       most_common_freqs[1] * reltuples::float8, usual * reltuples::float8
  from unnest(%s::text[], %s::text[]) as asked (name, attribute)
  join pg_stats on tablename = asked.name and attname = asked.attribute
  join pg_namespace on nspname = schemaname
  join pg_class on relnamespace = pg_namespace.oid and relname = tablename and not inherited
 cross join lateral (
       select (1 - null_frac)
              / nullif(case when n_distinct < 0 then -n_distinct * reltuples else n_distinct end, 0)
       ) as average (usual)
 where schemaname not in ('pg_catalog', 'information_schema')
   and (select count(*) from pg_class as others join pg_namespace as places on places.oid = others.relnamespace
         where others.relname = asked.name and others.relkind in ('r', 'p', 'm')
           and places.nspname not in ('pg_catalog', 'information_schema')) = 1
   and most_common_freqs[1] >= %s * usual
   and most_common_freqs[1] * reltuples >= %s
 order by 1, 2
