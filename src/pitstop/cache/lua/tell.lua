-- Tell every holder something that nobody waits for; of a fence, that it is over.
-- KEYS: holders, whose server keeps the order, and fences. ARGV: channel, message, fence.
redis.call('HDEL', KEYS[2], ARGV[3])
return redis.call('PUBLISH', ARGV[1], ARGV[2])
