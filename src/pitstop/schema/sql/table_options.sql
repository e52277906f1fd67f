-- The options of a table and of its TOAST table that somebody set.
select array(select unnest(pg_class.reloptions)
              union all
             select 'toast.' || unnest(toast.reloptions))
  from pg_class
  left join pg_class as toast on toast.oid = pg_class.reltoastrelid
 where pg_class.oid = to_regclass(%s)
