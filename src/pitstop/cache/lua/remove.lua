-- Remove the holders whose lease has run out: those that have not renewed it since they were told.
-- KEYS: holders. ARGV: holder, stamp of its last renewal, and so on. Who has renewed has been told: same connection.
for at = 1, #ARGV, 2 do
  if redis.call('HGET', KEYS[1], ARGV[at]) == ARGV[at + 1] then redis.call('HDEL', KEYS[1], ARGV[at]) end
end
return 1
