-- Take a writer's fence off a tag and replace its token, unless others have fenced it too: then the last of them does.
-- Gives 1 if the fence still stood, 0 if not: it had run out, or the server has lost it.
-- KEYS: token. ARGV: fence id or '', a fresh token, its time to live in ms.
local token = redis.call('GET', KEYS[1])
local stood = 0
if token and string.sub(token, 1, 1) == '!' then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local left = {}
  for at = 2, #token, 29 do
    local id, ends = string.sub(token, at, at + 15), string.sub(token, at + 16, at + 28)
    if tonumber(ends) > now then
      if id == ARGV[1] then stood = 1 else left[#left + 1] = id .. ends end
    end
  end
  if #left > 0 then
    redis.call('SET', KEYS[1], '!' .. table.concat(left))
    return stood
  end
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return stood
