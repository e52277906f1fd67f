-- How far the build of a session is, whom the session waits for and who waits for it.
select phase,
       case when blocks_total > 0 and (tuples_total = 0 or tuples_done = 0) then blocks_done::float8 / blocks_total
            when tuples_total > 0 then tuples_done::float8 / tuples_total end as fraction,
       pg_blocking_pids(%(pid)s) as blocking,
       array(select activity.pid from pg_stat_activity as activity
              where activity.wait_event_type = 'Lock' and activity.pid <> %(pid)s
                and %(pid)s = any(pg_blocking_pids(activity.pid))) as blocked
  from (select) as always
  left join pg_stat_progress_create_index on pid = %(pid)s
