-- Whether the planner has statistics of every expression index of a table and its partitions, and those
-- that CREATE STATISTICS asked for.
with tables as (
    select to_regclass(%(table)s)::oid as oid
    union
    select relid::oid from pg_partition_tree(to_regclass(%(table)s))
)
select not exists (
    select from pg_index
      join tables on tables.oid = indrelid
      join pg_class as rows on rows.oid = indrelid and rows.reltuples > 0
      join pg_class as relations on relations.oid = indexrelid and relations.relkind = 'i'
      join pg_namespace on pg_namespace.oid = relations.relnamespace
     where indexprs is not null and indisvalid
       and not exists (select from pg_stats where schemaname = nspname and tablename = relations.relname))
   and not exists (
    select from pg_statistic_ext
      join pg_class as rows on rows.oid = stxrelid and rows.reltuples <> 0  -- below 0: nobody knows
      join pg_namespace on pg_namespace.oid = stxnamespace
     where stxrelid in (select oid from tables)
       and not exists (
           select from pg_stats_ext as known
            where statistics_schemaname = nspname and statistics_name = stxname
              and (to_jsonb(known) ->> 'inherited' is not null  -- from 15 on
                   or n_distinct is not null or dependencies is not null or most_common_vals is not null)))
