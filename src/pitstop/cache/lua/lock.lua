-- Take the load lock of a key, or be woken when it is given back. KEYS: lock.
-- ARGV: load id, holder, time to live in ms, '1' to take it from whoever has it.
if ARGV[4] == '1' then
  redis.call('HSET', KEYS[1], 'load', ARGV[1])
elseif redis.call('HSETNX', KEYS[1], 'load', ARGV[1]) == 0 then
  redis.call('HSET', KEYS[1], ARGV[2], '')
  return 0
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
