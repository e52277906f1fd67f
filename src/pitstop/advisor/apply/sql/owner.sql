-- Whether the user may change a table or an index, who may, and who the user is.
select pg_has_role(relowner, 'USAGE') as may,
       pg_get_userbyid(relowner) as owner,
       current_user as asking
  from pg_class
 where pg_class.oid = to_regclass(%s)
