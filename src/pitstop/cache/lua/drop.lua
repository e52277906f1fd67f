-- Drop a value and make the load that is under way store nothing; who waits for it loads. KEYS: value, lock.
-- ARGV: prefix of the holders' channels, message.
local dropped = redis.call('DEL', KEYS[1])
for _, holder in ipairs(redis.call('HKEYS', KEYS[2])) do
  if holder ~= 'load' then redis.call('PUBLISH', ARGV[1] .. holder, ARGV[2]) end
end
redis.call('DEL', KEYS[2])
return dropped
