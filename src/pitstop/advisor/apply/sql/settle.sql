-- Settings of the session, where this version has them.
select set_config(name, value, false)
  from json_each_text(%s) as wanted(name, value)
 where exists (select from pg_settings where pg_settings.name = wanted.name)
