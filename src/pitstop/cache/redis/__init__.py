"""The transport under the cache: commands to one Redis, a Sentinel's master or a Cluster, and their replies.

A *command* is a tuple of bytes, ``(b"GET", b"key")``. A reply is what hiredis makes of it; an error that
the server answers is a :class:`hiredis.ReplyError` in the reply's place and is never raised here. What
raises is a server that cannot be reached or does not answer in time: ``RedisUnavailable``.
"""
