-- What the server leaves to clients, and which process answers.
select pg_backend_pid(),
       current_setting('max_connections')::int,
       current_setting('superuser_reserved_connections')::int
           + coalesce(current_setting('reserved_connections', true)::int, 0),
       coalesce((select rolconnlimit from pg_roles where rolname = current_user), -1),
       coalesce((select datconnlimit from pg_database where datname = current_database()), -1)
