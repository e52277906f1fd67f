-- Become a holder; gives the epoch, its age in ms, and the fences that stand: announcements that the holder has not heard. A new epoch begins (all that was stored is void) when there is none, when this is not the
-- server it began on, and when there are holders of whom none could renew within a lease: Redis was away, and a writer
-- may have gone on without it.
-- KEYS: holders, epoch, fences. ARGV: holder, run id of the server, a fresh token, the lease in ms.
-- An epoch is its token (8 bytes), the 13 digits of its beginning in ms, and the run id.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local epoch = redis.call('GET', KEYS[2])
local stamps = redis.call('HVALS', KEYS[1])
local cut_off = #stamps > 0
for _, stamp in ipairs(stamps) do
  if now - stamp <= tonumber(ARGV[4]) then cut_off = false end
end
if not epoch or string.sub(epoch, 22) ~= ARGV[2] or cut_off then
  epoch = ARGV[3] .. string.format('%013.0f', now) .. ARGV[2]
  redis.call('SET', KEYS[2], epoch)
  -- under a new epoch each writer waits out one lease, so nobody has to wait for these
  if cut_off then redis.call('DEL', KEYS[1]) end
end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%013.0f', now))
local standing = {epoch, now - string.sub(epoch, 9, 21)}
local fences = redis.call('HGETALL', KEYS[3])
for at = 1, #fences, 2 do
  if tonumber(string.sub(fences[at + 1], 1, 13)) > now then
    standing[#standing + 1] = string.sub(fences[at + 1], 14)
  else
    redis.call('HDEL', KEYS[3], fences[at])
  end
end
return standing
