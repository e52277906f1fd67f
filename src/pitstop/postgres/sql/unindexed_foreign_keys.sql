-- Foreign keys whose columns, in any order, do not lead a valid, whole-table index of their table.
select constraints.conname as name,
       constraints.conrelid::regclass::text as "table",
       constraints.confrelid::regclass::text as parent,
       (select array_agg(attname order by place)
          from unnest(constraints.conkey) with ordinality as keys(number, place)
          join pg_attribute on attrelid = constraints.conrelid and attnum = number)::text[] as columns,
       greatest(stats.n_live_tup, tables.reltuples, 0)::bigint as rows,
       coalesce(stats.seq_scan, 0) as seq_scans,
       coalesce(parents.n_tup_del, 0) as parent_deletes
  from pg_constraint as constraints
  join pg_class as tables on tables.oid = constraints.conrelid
  left join pg_stat_user_tables as stats on stats.relid = constraints.conrelid
  left join pg_stat_user_tables as parents on parents.relid = constraints.confrelid
 where constraints.contype = 'f'
   and constraints.conparentid = 0
   and greatest(stats.n_live_tup, tables.reltuples, 0) >= 1000
   and not exists (
       select from pg_index
        where indrelid = constraints.conrelid
          and indisvalid
          and indpred is null
          and cardinality(constraints.conkey) <= indnkeyatts
          and (indkey::int2[])[0:cardinality(constraints.conkey) - 1] @> constraints.conkey
   )
 order by rows desc, name
