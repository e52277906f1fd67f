"""The transport under the cache: commands to one Redis, a Sentinel's master or a Cluster, and their replies.

A *command* is a tuple of bytes, ``(b"GET", b"key")``. A reply is what hiredis makes of it; an error that
the server answers is a :class:`hiredis.ReplyError` in the reply's place and is never raised here. What
raises is a server that cannot be reached or does not answer in time: ``RedisUnavailable``.
"""

from pitstop.cache.redis.address import Address, Target, parse_url
from pitstop.cache.redis.blocking import BlockingConnection
from pitstop.cache.redis.connection import Connection
from pitstop.cache.redis.handshake import Command
from pitstop.cache.redis.script import Script
from pitstop.cache.redis.topology import Client
from pitstop.cache.redis.wire import Wire

__all__ = [
    "Address",
    "BlockingConnection",
    "Client",
    "Command",
    "Connection",
    "Script",
    "Target",
    "Wire",
    "parse_url",
]
