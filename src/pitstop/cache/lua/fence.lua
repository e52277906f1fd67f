-- Put a writer's fence on a tag beside those of others. KEYS: token. ARGV: fence id (16 characters), time to live in ms.
-- A fenced token is '!' and, for each fence, its id and the 13 digits of its end in ms.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local fences = {ARGV[1] .. string.format('%013.0f', now + ARGV[2])}
local token = redis.call('GET', KEYS[1])
if token and string.sub(token, 1, 1) == '!' then
  for at = 2, #token, 29 do
    local id, ends = string.sub(token, at, at + 15), string.sub(token, at + 16, at + 28)
    if id ~= ARGV[1] and tonumber(ends) > now then fences[#fences + 1] = id .. ends end
  end
end
-- without a time to live: a server that is full evicts what has one
redis.call('SET', KEYS[1], '!' .. table.concat(fences))
return 1
