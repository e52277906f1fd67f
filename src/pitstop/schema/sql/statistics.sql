-- The table that extended statistics are of, and what they are.
select places.nspname, relname, pg_get_statisticsobjdef(pg_statistic_ext.oid)
  from pg_statistic_ext
  join pg_namespace as own on own.oid = stxnamespace
  join pg_class on pg_class.oid = stxrelid
  join pg_namespace as places on places.oid = relnamespace
 where stxname = %s
   and case when %s::text is null then pg_statistics_obj_is_visible(pg_statistic_ext.oid) else own.nspname = %s end
