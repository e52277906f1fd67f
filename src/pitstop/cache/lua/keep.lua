-- Keep the load lock of a load that goes on. KEYS: lock. ARGV: load id, time to live in ms.
if redis.call('HGET', KEYS[1], 'load') ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
