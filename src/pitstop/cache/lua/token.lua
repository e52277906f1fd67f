-- The token of a tag, made if there is none or if all its fences have run out. KEYS: token. ARGV: a fresh token, its time to live in ms.
local token = redis.call('GET', KEYS[1])
if token and string.sub(token, 1, 1) ~= '!' then return token end
if token then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  for at = 2, #token, 29 do
    if tonumber(string.sub(token, at + 16, at + 28)) > now then return token end
  end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]
