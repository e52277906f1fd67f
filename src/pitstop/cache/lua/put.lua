-- Store a value given by hand; a load under way stores nothing, and who waits for it is woken. KEYS: value, lock.
-- ARGV: value, its time to live in ms, prefix of the holders' channels, message.
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
for _, holder in ipairs(redis.call('HKEYS', KEYS[2])) do
  if holder ~= 'load' then redis.call('PUBLISH', ARGV[3] .. holder, ARGV[4]) end
end
return redis.call('DEL', KEYS[2])
