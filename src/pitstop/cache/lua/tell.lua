-- Tell every holder something that nobody waits for. KEYS: holders, whose server keeps the order. ARGV: channel, message.
return redis.call('PUBLISH', ARGV[1], ARGV[2])
