-- Who sessions are: since when their transaction runs and what they do or did last.
select pid,
       coalesce(extract(epoch from now() - coalesce(xact_start, query_start)), 0)::float8 as age_s,
       coalesce(state, backend_type) as state,
       coalesce(query, '') as query
  from pg_stat_activity
 where pid = any(%s)
 order by age_s desc, pid
