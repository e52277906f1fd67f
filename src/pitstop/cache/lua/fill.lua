-- Store a value (none if it is empty), give the load lock back and wake who waits for it. A load that has lost its lock
-- stores nothing: its key was dropped meanwhile, or another is at it.
-- KEYS: value, lock. ARGV: load id, value, its time to live in ms, prefix of the holders' channels, message.
if redis.call('HGET', KEYS[2], 'load') ~= ARGV[1] then return 0 end
if ARGV[2] ~= '' then redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
local fields = redis.call('HKEYS', KEYS[2])
redis.call('DEL', KEYS[2])
for _, holder in ipairs(fields) do
  if holder ~= 'load' then redis.call('PUBLISH', ARGV[4] .. holder, ARGV[5]) end
end
return 1
