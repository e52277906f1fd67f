-- Every index of the user's tables: what it is made of, its duties, its size and its use.
select pg_index.indexrelid::int8 as oid,
       format('%I.%I', nspname, relations.relname) as name,
       relations.relname as plain_name,
       format('%I.%I', nspname, tables.relname) as "table",
       amname as method,
       array(select format('%s %s %s %s', pg_get_indexdef(pg_index.indexrelid, place, false),
                           (indclass::oid[])[place - 1], (indcollation::oid[])[place - 1],
                           (indoption::int2[])[place - 1])
               from generate_series(1, indnkeyatts) as places(place) order by place) as keys,
       array(select pg_get_indexdef(pg_index.indexrelid, place, false)
               from generate_series(1, indnkeyatts) as places(place) order by place) as key_names,
       array(select pg_get_indexdef(pg_index.indexrelid, place, false)
               from generate_series(indnkeyatts + 1, indnatts) as places(place) order by place) as include,
       pg_get_expr(indpred, indrelid) as predicate,
       pg_get_indexdef(pg_index.indexrelid) as definition,
       indisunique as is_unique,
       indisprimary as is_primary,
       indisvalid and indisready as is_valid,
       indisreplident or indisclustered as is_marked,
       exists (select from pg_constraint
                where conindid = pg_index.indexrelid) as in_constraint,
       exists (select from pg_inherits where inhrelid = pg_index.indexrelid) as of_partition,
       (select min(conname::text) from pg_constraint  -- as in unindexed_foreign_keys.sql
         where conrelid = indrelid and contype = 'f' and indisvalid and indpred is null
           and cardinality(conkey) <= indnkeyatts
           and (indkey::int2[])[0:cardinality(conkey) - 1] @> conkey) as foreign_key,
       pg_relation_size(pg_index.indexrelid) as size_bytes,
       greatest(relations.reltuples, 0)::float8 as rows,
       greatest(tables.reltuples, 0)::float8 as table_rows,
       coalesce((select sum(each.idx_scan)::int8
                   from pg_partition_tree(pg_index.indexrelid) as parts
                   join pg_stat_user_indexes as each on each.indexrelid = parts.relid),
                idx_scan, 0) as scans
  from pg_index
  join pg_class as relations on relations.oid = pg_index.indexrelid
  join pg_class as tables on tables.oid = pg_index.indrelid
  join pg_namespace on pg_namespace.oid = tables.relnamespace
  join pg_am on pg_am.oid = relations.relam
  left join pg_stat_user_indexes as stats on stats.indexrelid = pg_index.indexrelid
 where nspname not in ('pg_catalog', 'information_schema', 'pitstop_sample')
   and nspname !~ '^pg_'
   and relations.relpersistence <> 't'
 order by name
