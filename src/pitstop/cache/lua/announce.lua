-- Tell every holder what changes. Returns the holders with the number of their last renewal, and how old the epoch is in ms.
-- A fence is remembered until it is over or has run out, for who joins meanwhile.
-- KEYS: holders, epoch, fences. ARGV: channel, message, fence, its time to live in ms (0 if it is none).
local time = redis.call('TIME')
local epoch = redis.call('GET', KEYS[2])
local age = -1
if epoch then age = time[1] * 1000 + math.floor(time[2] / 1000) - tonumber(string.sub(epoch, 9, 21)) end
if tonumber(ARGV[4]) > 0 then
  local ends = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[4]
  redis.call('HSET', KEYS[3], ARGV[3], string.format('%013.0f', ends) .. ARGV[2])
end
redis.call('PUBLISH', ARGV[1], ARGV[2])
return {age, redis.call('HGETALL', KEYS[1])}
