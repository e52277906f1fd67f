-- What an index is made of, column by column: widths and alignment tell how large it will be.
select pg_index.indexrelid::int8 as oid,
       format('%%I.%%I', nspname, tables.relname) as "table",
       amname as method,
       pg_get_expr(indpred, indrelid) as predicate,
       place.number::int as place,
       pg_get_indexdef(pg_index.indexrelid, place.number::int, false) as definition,
       (indkey::int2[])[place.number - 1] = 0 as is_expression,
       place.number <= indnkeyatts as is_key,
       columns.attlen::int as bytes,
       columns.attalign::text as alignment,
       format_type(columns.atttypid, null) as type,
       coalesce(stawidth, 16)::float8 as width,
       coalesce(stadistinct, 0)::float8 as distinct,
       greatest(tables.reltuples, 0)::float8 as rows
  from pg_index
  join pg_class as relations on relations.oid = pg_index.indexrelid
  join pg_am on pg_am.oid = relations.relam
  join pg_class as tables on tables.oid = pg_index.indrelid
  join pg_namespace on pg_namespace.oid = tables.relnamespace
  cross join lateral generate_series(1, indnatts) as place(number)
  join pg_attribute as columns on columns.attrelid = pg_index.indexrelid and columns.attnum = place.number
  left join pg_statistic
    on starelid = pg_index.indrelid
   and staattnum = (indkey::int2[])[place.number - 1]
   and not stainherit
 where pg_index.indexrelid = any(%s::oid[])
   and relations.relkind = 'i'
 order by oid, place
