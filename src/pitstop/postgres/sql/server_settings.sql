-- Every setting as this session sees it; values are in the unit of the setting.
select name, setting as value, unit, context, source, boot_val as default_value, pending_restart
  from pg_settings
