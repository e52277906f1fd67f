-- Whether a constraint was held against all rows.
select convalidated from pg_constraint where conrelid = to_regclass(%s) and conname = %s
