-- The columns of each table, with what statistics say of their values.
select nspname as schema,
       tables.relname as "table",
       format('%I.%I', nspname, tables.relname) as name,
       coalesce((select format('%I.%I', parents.nspname, parent.relname)
                   from pg_class as parent
                   join pg_namespace as parents on parents.oid = parent.relnamespace
                  where tables.relispartition and parent.oid = pg_partition_root(tables.oid)),
                format('%I.%I', nspname, tables.relname)) as root,
       quote_ident(attname) as "column",
       format_type(atttypid, null) as type,
       typcategory::text as category,
       attnotnull as required,
       greatest(tables.reltuples, 0)::float8 as rows,
       coalesce(stanullfrac, 0)::float8 as nulls,
       coalesce(stawidth, 16)::float8 as width,
       case when stadistinct < 0 then -stadistinct * greatest(tables.reltuples, 0)
            else coalesce(nullif(stadistinct, 0), 200) end::float8 as distinct,
       coalesce((select (stanumbers)[1]
                   from (values (stakind1, stanumbers1), (stakind2, stanumbers2), (stakind3, stanumbers3),
                                (stakind4, stanumbers4), (stakind5, stanumbers5)) as slots(kind, stanumbers)
                  where kind = 3), 0)::float8 as correlation
  from pg_attribute
  join pg_class as tables on tables.oid = attrelid
  join pg_namespace on pg_namespace.oid = relnamespace
  join pg_type on pg_type.oid = atttypid
  left join pg_statistic on starelid = attrelid and staattnum = attnum
   and stainherit = (tables.relkind = 'p')
 where tables.relkind in ('r', 'm', 'p')
   and attnum > 0
   and not attisdropped
   and nspname not in ('pg_catalog', 'information_schema', 'pitstop_sample')
   and nspname !~ '^pg_'
 order by name, attnum
