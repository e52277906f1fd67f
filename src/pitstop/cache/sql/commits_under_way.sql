-- The transactions that are about to commit what they have fenced.
SELECT virtualtransaction
  FROM pg_locks
 WHERE locktype = 'advisory'
   AND objsubid = 1
   AND CAST(classid AS bigint) << 32 | CAST(objid AS bigint) = {lock}
   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
