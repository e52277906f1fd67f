-- Take the load lock of a key, or be woken when it is given back; neither if another has filled it since it was looked at.
-- KEYS: lock, value. ARGV: load id, holder, time to live in ms, '1' to take it from whoever has it, the 36 bytes that the value began with.
if ARGV[4] == '1' then
  redis.call('HSET', KEYS[1], 'load', ARGV[1])
elseif redis.call('HSETNX', KEYS[1], 'load', ARGV[1]) == 0 then
  redis.call('HSET', KEYS[1], ARGV[2], '')
  return 0
elseif redis.call('GETRANGE', KEYS[2], 0, 35) ~= ARGV[5] then
  redis.call('DEL', KEYS[1])
  return 2
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
