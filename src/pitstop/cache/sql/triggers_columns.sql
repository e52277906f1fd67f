-- The table a name stands for, its columns with their types, and which make its primary key, in the key's order.
SELECT pg_namespace.nspname,
       pg_class.relname,
       pg_class.relkind::text,
       pg_attribute.attname,
       format_type(pg_attribute.atttypid, NULL),
       array_position(CAST(pg_index.indkey AS smallint[]), pg_attribute.attnum)
  FROM pg_class
  JOIN pg_namespace ON pg_namespace.oid = pg_class.relnamespace
  JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped
  LEFT JOIN pg_index ON indrelid = pg_class.oid AND indisprimary
 WHERE pg_class.oid = to_regclass(%(table)s)
 ORDER BY attnum
