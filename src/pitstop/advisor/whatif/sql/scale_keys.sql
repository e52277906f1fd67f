-- A foreign key to a table that grows gets new values as it does; of other columns the values stay the same.
update pg_statistic
   set stadistinct = stadistinct * %(scale)s,
       stakind1 = case when stakind1 = 1 then 0 else stakind1 end,
       stakind2 = case when stakind2 = 1 then 0 else stakind2 end,
       stakind3 = case when stakind3 = 1 then 0 else stakind3 end
  from pg_constraint
 where contype = 'f'
   and starelid = conrelid
   and staattnum = any(conkey)
   and confrelid = any(%(grown)s::oid[])
   and stadistinct > 0
