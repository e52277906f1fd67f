-- What the planner's choices depend on, beside statistics.
select name, current_setting(name) as value
  from pg_settings
 where (category like 'Query Tuning%'
        or name in ('work_mem', 'hash_mem_multiplier', 'max_parallel_workers', 'search_path',
                    'default_text_search_config', 'TimeZone', 'DateStyle', 'IntervalStyle'))
   and name not in ('plan_cache_mode', 'seed')
 order by name
