-- How many values of a column are kept; -1 as the server has it.
select coalesce(attstattarget, -1)::int
  from pg_attribute
 where attrelid = to_regclass(%s) and attname = %s and attnum > 0 and not attisdropped
