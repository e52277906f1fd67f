-- Renew the lease of a holder; 0 if it was removed, another epoch has begun, or its lease has run out: a renewal that waited in a queue is too late.
-- KEYS: holders, epoch. ARGV: holder, the lease in ms, the token of its epoch.
local stamp = redis.call('HGET', KEYS[1], ARGV[1])
if not stamp then return 0 end
if redis.call('GETRANGE', KEYS[2], 0, 7) ~= ARGV[3] then return 0 end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if now - stamp > tonumber(ARGV[2]) then return 0 end
-- never the same stamp twice: by it a writer knows whether a holder has renewed since it was told
redis.call('HSET', KEYS[1], ARGV[1], string.format('%013.0f', math.max(now, stamp + 1)))
return 1
