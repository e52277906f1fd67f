"""The commands that the cache sends: names of its keys in Redis, and its scripts. Pure: it sends nothing."""

import os
from functools import cache, lru_cache
from importlib.resources import files

from pitstop.cache.redis.script import Script

__all__ = [
    "FENCE_SECONDS",
    "TOKEN_BYTES",
    "Command",
    "Commands",
    "fresh_token",
    "is_clean",
    "may_have_run_out",
]

Command = tuple[bytes, ...]

FENCE_SECONDS = 30.0
TOKEN_BYTES = 8
_FENCE_BYTES = 29
_ID_BYTES = 16


def fresh_token() -> bytes:
    """A token that no other has: 8 random bytes that do not look like a fence."""
    token = os.urandom(TOKEN_BYTES)
    return token if token[:1] != b"!" else fresh_token()


def is_clean(token: bytes | None) -> bool:
    """Whether a stored token is one, and neither missing nor fenced."""
    return token is not None and len(token) == TOKEN_BYTES


def may_have_run_out(token: bytes | None, now: float) -> bool:
    """Whether a token has to be asked for again: it is missing, or its last fence has ended.

    Args:
        now: wall clock, seconds; Redis decides by its own.
    """
    if token is None:
        return True
    if is_clean(token):
        return False
    ends = [token[at + _ID_BYTES : at + _FENCE_BYTES] for at in range(1, len(token), _FENCE_BYTES)]
    return max(map(int, ends), default=0) < now * 1000


@cache
def _script(name: str) -> Script:
    return Script((files("pitstop.cache") / "lua" / f"{name}.lua").read_text())


def _ms(seconds: float) -> bytes:
    return b"%d" % max(1, round(seconds * 1000))


class Commands:
    """What a cache says to Redis.

    Args:
        prefix: begins each key; two caches with one prefix are one cache.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix.encode()
        # one slot in a cluster: what a writer reads and what holders write must be one server's word
        self.coordination = self.prefix + b":{c}"
        self.holders = self.coordination + b":h"
        self.epoch = self.coordination + b":e"
        self.fences = self.coordination + b":f"
        self.channel = self.prefix + b":c"
        self.inboxes = self.prefix + b":i:"
        self.token = lru_cache(maxsize=10_000)(self._token)

    def value(self, digest: str) -> bytes:
        """The key of a stored value."""
        return b"%b:{%b}" % (self.prefix, digest.encode())

    def lock(self, digest: str) -> bytes:
        """The key of the load lock of a value, in the value's slot."""
        return self.value(digest) + b":l"

    def _token(self, tag: str) -> bytes:
        """The key of the token of a tag."""
        return b"%b:%b" % (self.prefix, tag.encode(errors="surrogatepass"))

    def inbox(self, holder: bytes) -> bytes:
        """The channel on which one holder is told what concerns it alone."""
        return self.inboxes + holder

    def ask_token(self, tag: str, *, seconds: float) -> Command:
        """The token of a tag, made if it is missing."""
        return _script("token").call([self.token(tag)], [fresh_token(), _ms(seconds)])

    def renew_token(self, tag: str, *, seconds: float) -> Command:
        """Let the token of a tag live on."""
        return (b"PEXPIRE", self.token(tag), _ms(seconds))

    def fence(self, tag: str, fence: bytes, *, seconds: float) -> Command:
        """Fence a tag."""
        return _script("fence").call([self.token(tag)], [fence, _ms(seconds)])

    def release(self, tag: str, fence: bytes, *, seconds: float) -> Command:
        """Take a fence (none if empty) off a tag, which gets a new token; 1 if the fence still stood."""
        return _script("release").call([self.token(tag)], [fence, fresh_token(), _ms(seconds)])

    def take_lock(
        self,
        digest: str,
        load: bytes,
        holder: bytes,
        *,
        seconds: float,
        seize: bool = False,
        stored: bytes = b"",
    ) -> Command:
        """Take the load lock of a key (1), from another if need be, or be woken when it is given back (0).

        Neither (2) if what is stored does not begin as it did when it was looked at.
        """
        args = [load, holder, _ms(seconds), b"%d" % seize, stored]
        return _script("lock").call([self.lock(digest), self.value(digest)], args)

    def drop(self, digest: str) -> Command:
        """Drop a value, and what a load under way is about to store."""
        args = [self.inboxes, b"f" + digest.encode()]
        return _script("drop").call([self.value(digest), self.lock(digest)], args)

    def keep_lock(self, digest: str, load: bytes, *, seconds: float) -> Command:
        """Keep the load lock of a key for longer."""
        return _script("keep").call([self.lock(digest)], [load, _ms(seconds)])

    def fill(self, digest: str, load: bytes, value: bytes, *, seconds: float) -> Command:
        """Store a value, nothing if it is empty, give the load lock back and wake who waits."""
        keys = [self.value(digest), self.lock(digest)]
        return _script("fill").call(keys, [load, value, _ms(seconds), self.inboxes, b"f" + digest.encode()])

    def put(self, digest: str, value: bytes, *, seconds: float) -> Command:
        """Store a value given by hand, and let no load under way store another."""
        args = [value, _ms(seconds), self.inboxes, b"f" + digest.encode()]
        return _script("put").call([self.value(digest), self.lock(digest)], args)

    def join(self, holder: bytes, run_id: bytes, *, lease: float) -> Command:
        """Become a holder; gives the epoch, then the announcements of the fences that stand."""
        args = [holder, run_id, fresh_token(), _ms(lease)]
        return _script("join").call([self.holders, self.epoch, self.fences], args)

    def renew(self, holder: bytes, epoch: bytes, *, lease: float) -> Command:
        """Renew a lease; 0 if it has run out, the holder was removed, or another epoch has begun."""
        return _script("renew").call([self.holders, self.epoch], [holder, _ms(lease), epoch])

    def leave(self, holder: bytes) -> Command:
        """End a lease."""
        return (b"HDEL", self.holders, holder)

    def announce(self, message: bytes, fence: bytes, *, seconds: float) -> Command:
        """Tell all holders; gives the age of the epoch in ms (-1 for none), and holders with their stamps."""
        args = [self.channel, message, fence, b"%d" % round(seconds * 1000)]
        return _script("announce").call([self.holders, self.epoch, self.fences], args)

    def tell(self, message: bytes, fence: bytes) -> Command:
        """Tell all holders something that nobody waits for; of a fence, that it is over."""
        return _script("tell").call([self.holders, self.fences], [self.channel, message, fence])

    def publish(self, message: bytes) -> Command:
        """Tell all holders something whose order among other messages does not matter."""
        return (b"PUBLISH", self.channel, message)

    def remove(self, silent: dict[bytes, bytes]) -> Command:
        """Remove holders that have not renewed since they were told."""
        return _script("remove").call([self.holders], [part for pair in silent.items() for part in pair])
