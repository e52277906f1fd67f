-- Tell every holder what changes. Returns the holders with the number of their last renewal, and how old the epoch is in ms.
-- KEYS: holders, epoch. ARGV: channel, message.
local time = redis.call('TIME')
local epoch = redis.call('GET', KEYS[2])
local age = -1
if epoch then age = time[1] * 1000 + math.floor(time[2] / 1000) - tonumber(string.sub(epoch, 9, 21)) end
redis.call('PUBLISH', ARGV[1], ARGV[2])
return {age, redis.call('HGETALL', KEYS[1])}
