-- Which partitioned table each partition is of, at the root.
select format('%I.%I', nspname, relations.relname) as name,
       (select format('%I.%I', parents.nspname, parent.relname)
          from pg_class as parent
          join pg_namespace as parents on parents.oid = parent.relnamespace
         where parent.oid = pg_partition_root(relations.oid)) as root
  from pg_class as relations
  join pg_namespace on pg_namespace.oid = relnamespace
 where relations.relispartition
   and relations.relkind in ('r', 'p')
