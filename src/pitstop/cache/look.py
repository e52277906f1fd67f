"""A look into Redis: whether what is stored there holds, and what of it is held in memory."""

import random
import time
from dataclasses import dataclass, field
from typing import Any

from pitstop.cache import ttl
from pitstop.cache.changes import ChangeLog
from pitstop.cache.clock import clock
from pitstop.cache.coherence import Coherence
from pitstop.cache.commands import Command, Commands, is_clean
from pitstop.cache.compression import decompress
from pitstop.cache.effects import Outcome, Steps, checked
from pitstop.cache.entry import COMPRESSED, HEAD_BYTES, TOKEN_BYTES, Entry, unpack, unpack_held
from pitstop.cache.memory import Held, Memory
from pitstop.cache.request import Request, key_tag
from pitstop.cache.stats import Stats
from pitstop.errors import CacheError, RedisUnavailable

__all__ = ["PYTHON_SIZE", "Looks", "Sight"]

PYTHON_SIZE = 4  # bytes of Python objects for a byte of what they are encoded to, about


@dataclass(slots=True)
class Sight:
    """What Redis holds for a request: the stored entry, and the tokens of its tags, epoch first.

    Attributes:
        entry: if it holds.
        tokens: of the tags of the request.
        likely: tags that an entry carried which holds no more: a load may well find the same.
        early: tokens of those, as they were before the load.
        stored: how the stored entry begins; no other begins so.
    """

    entry: Entry | None
    tokens: list[bytes | None]
    likely: tuple[str, ...] = ()
    early: dict[str, bytes | None] = field(default_factory=dict)
    stored: bytes = b""

    @property
    def clean(self) -> bool:
        """Whether no writer is at work on any of the tags."""
        return all(is_clean(token) for token in self.tokens)


class Looks:
    """The looks of one cache, which its flows begin with.

    Args:
        commands: names and scripts.
        changes: the change log.
        memory: of this process.
        coherence: the lease; None without Redis.
        stats: what is counted.
    """

    def __init__(
        self,
        commands: Commands,
        *,
        changes: ChangeLog,
        memory: Memory,
        coherence: Coherence | None,
        stats: Stats,
    ) -> None:
        self._commands = commands
        self._changes = changes
        self._memory = memory
        self._coherence = coherence
        self._stats = stats

    def looking(self, key: str, tags: tuple[str, ...]) -> Command:
        """The command that reads a value and the tokens of its tags; what it gives is for :meth:`hit`."""
        return (b"MGET", self._commands.value(key), self._commands.epoch, *map(self._commands.token, tags))

    def hit(self, request: Request, replies: list[Any], start: int) -> Outcome | None:  # noqa: PLR0911 - hot
        """What is stored, if that one look tells that it holds and is fresh: the shortest way.

        Nobody shares what it gives. Whoever gets None goes the long way, :meth:`Flows.fetch`; with a missing
        outcome the draw was to load early, and is not to be made again.

        Args:
            request: to read.
            replies: of :meth:`looking`.
            start: the newest change before the look.
        """
        reply = replies[0]
        if type(reply) is not list:
            checked(replies)
        stored = reply[0]
        if stored is None:
            return None
        try:
            epoch = reply[1][:TOKEN_BYTES]
            tokens = b"".join((epoch, *reply[2:]))
        except TypeError:  # one is missing
            return None
        entry = unpack_held(stored, tokens)
        if entry is None or not self._counts(epoch):
            return None
        fresh_until, load_ms, flags, payload = entry
        recipe, now = request.recipe, time.time()
        if fresh_until <= now:
            return None
        if recipe.early and self._is_early(request, now, fresh_until, load_ms):
            return Outcome(None, (), missing=True)
        try:
            value = recipe.codec.decode(decompress(payload) if flags & COMPRESSED else payload)
        except CacheError:
            return None
        counts = self._stats.of(recipe.namespace)
        counts.misses -= 1  # it was counted before Redis was asked
        counts.redis_hits += 1
        held = None
        if self._memory.max_items:
            size = PYTHON_SIZE * len(payload)
            held = self._hold(request, value, request.tags, start, fresh_until - now, load_ms / 1000, size)
        return Outcome(value, request.tags, held)

    def read_many(self, requests: list[Request]) -> Steps[list[Outcome | None]]:
        """What is stored under keys that no function makes, of one namespace."""
        start = self._changes.changes
        nothing: list[Outcome | None] = [None for _ in requests]
        if self._coherence is None or not self._coherence.is_up or not requests:
            return nothing
        token, tags = self._commands.token, requests[0].tags
        values = [self._commands.value(each.key) for each in requests]
        try:
            (replies,) = checked((yield [(b"MGET", *values, self._commands.epoch, *map(token, tags))]))
            tokens = replies[len(values) :]
            sights = [
                self._seen(each, [[stored, *tokens]])[0]
                for each, stored in zip(requests, replies, strict=False)
            ]
            extra = {tag for sight in sights if sight.entry is not None for tag in sight.entry.tags or ()}
            known: dict[str, bytes | None] = {}
            if extra:
                (more,) = checked((yield [(b"MGET", *map(token, sorted(extra)))]))
                known = dict(zip(sorted(extra), more, strict=True))
        except RedisUnavailable:
            self.pause()
            return nothing
        return [
            self._take(each, sight, start) if _has_tokens(sight, known) else None
            for each, sight in zip(requests, sights, strict=True)
        ]

    def _take(self, request: Request, sight: Sight, start: int) -> Outcome | None:
        """A hit in Redis, if the entry holds and need not be loaded anew."""
        entry = sight.entry
        if entry is None or request.mode != "read" or not self._counts(sight.tokens[0]):
            return None
        now = time.time()
        stale, early = entry.fresh_until <= now, request.recipe.early > 0
        if early and not stale and self._is_early(request, now, entry.fresh_until, entry.load_ms):
            return None
        try:
            payload = decompress(entry.payload) if entry.compressed else entry.payload
            value = request.recipe.codec.decode(payload)
        except CacheError:
            return None
        tags = request.tags + entry.tags if entry.tags else request.tags
        counts = self._stats.of(request.recipe.namespace)
        counts.misses -= 1  # it was counted before Redis was asked
        if stale:
            counts.stale_hits += 1
            return Outcome(value, tags, shareable=self._holds(request, tags, start), stale=True)
        counts.redis_hits += 1
        size = PYTHON_SIZE * len(entry.payload)
        held = self._hold(request, value, tags, start, entry.fresh_until - now, entry.load_ms / 1000, size)
        # what is held was just looked at
        return Outcome(value, tags, held, shareable=held is not None or self._holds(request, tags, start))

    def _is_early(self, request: Request, now: float, fresh_until: float, load_ms: float) -> bool:
        return ttl.refreshes_early(
            now, expiry=fresh_until, load_seconds=load_ms / 1000, beta=request.recipe.early
        )

    @property
    def changes(self) -> ChangeLog:
        """The change log."""
        return self._changes

    def may_look(self) -> bool:
        """Whether Redis is there to be looked into."""
        coherence = self._coherence
        # what its `is_up` says: each call of the hot path that need not be made counts
        return coherence is not None and not coherence.paused and clock() < coherence.until

    def _counts(self, epoch: bytes | None) -> bool:
        """Whether replies that were given under an epoch count now that they are here.

        What was lost since may have been a fence. Of a Cluster the epoch may be the word of one node from
        before a lapse of the lease, and the rest that of another from after it.
        """
        coherence = self._coherence
        return coherence is not None and epoch == coherence.epoch and self.may_look()

    def _is_up(self) -> bool:
        return self._coherence is None or self._coherence.is_up

    def _missed(self, request: Request) -> tuple[Sight, int] | None:
        """What a look before this flow told, and the newest change before it, if there was nothing to give.

        A value that it found is not taken: who waits for this flow may have asked after that look.
        """
        if request.seen is None:
            return None
        replies, start = request.seen
        sight, _ = self._seen(request, replies)
        return (sight, start) if sight.entry is None else None

    def _look(self, request: Request) -> Steps[Sight]:
        """Read the value and the tokens of its tags; an entry that does not hold is left out."""
        sight, more = self._seen(request, (yield [self.looking(request.key, request.tags)]))
        if more:
            (tokens,) = checked((yield [(b"MGET", *map(self._commands.token, more))]))
            if not _has_tokens(sight, dict(zip(more, tokens, strict=True))):
                sight.entry, sight.likely = None, more
        return sight

    def _seen(self, request: Request, replies: list[Any]) -> tuple[Sight, tuple[str, ...]]:
        """What a look tells, and the tags whose tokens must still be looked at."""
        ((stored, *tokens),) = checked(replies)
        tokens[0] = tokens[0][:TOKEN_BYTES] if tokens[0] else None
        sight = Sight(None, tokens, stored=(stored or b"")[:HEAD_BYTES])
        entry = unpack(stored) if stored is not None else None
        recipe = request.recipe
        # past its time it is only for those who can have it renewed without their caller
        renewable = recipe.stale_for and recipe.repeatable
        if entry is None or (entry.stale_until if renewable else entry.fresh_until) <= time.time():
            return sight, ()
        if entry.tokens[: len(tokens)] != tuple(tokens):
            sight.likely = entry.tags or ()
            return sight, ()
        sight.entry = entry
        return sight, entry.tags or ()

    def pause(self) -> None:
        """Redis did not answer in time: go on without it until it does."""
        if self._coherence is not None:
            self._coherence.pause()

    def _holds(self, request: Request, tags: tuple[str, ...], start: int) -> bool:
        """Whether what held at a moment holds now, so that who asks now may have it.

        Redis said so when it replied; whoever asked since then, while the reply lay here, asked later.
        """
        return self._is_up() and self._changes.unchanged((*tags, key_tag(request.key)), start)

    def _hold(
        self,
        request: Request,
        value: Any,
        tags: tuple[str, ...],
        start: int,
        fresh: float,
        load_seconds: float,
        size: int,
    ) -> Held | None:
        """Keep a value in memory, if nothing has changed since the moment it was known to hold."""
        if not self._memory.max_items:
            return None
        if request.recipe.early:
            # drawn once for this process instead of at each hit: the same chance to be the one who loads anew
            fresh = max(0.0, fresh - load_seconds * request.recipe.early * random.expovariate(1.0))
        now = clock()
        held = Held(
            value,
            tags=tags,
            checked=start,
            fresh_until=now + fresh,
            stale_until=now + fresh + request.recipe.stale_for,
            load_seconds=load_seconds,
            size=size,
        )
        kept = self._memory.put(request.key, held, if_still=lambda: self._holds(request, tags, start))
        return held if kept else None


def _has_tokens(sight: Sight, tokens: dict[str, bytes | None]) -> bool:
    """Whether the tokens that an entry has of the tags it names itself are these."""
    entry = sight.entry
    if entry is None:
        return False
    tags = entry.tags or ()
    return entry.tokens[len(sight.tokens) :] == tuple(tokens.get(each) for each in tags)
