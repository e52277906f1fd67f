-- How wide the values of columns are that may be wide, bytes on average, as ANALYZE saw them.
select tablename as "table",
       pg_stats.attname as "column",
       avg_width as bytes
  from pg_stats
  join pg_attribute
    on attrelid = to_regclass(format('%I.%I', schemaname, tablename))
   and pg_attribute.attname = pg_stats.attname
 where schemaname not in ('pg_catalog', 'information_schema')
   and atttypid in ('text'::regtype, 'varchar'::regtype, 'json'::regtype, 'jsonb'::regtype, 'bytea'::regtype)
   and not inherited
