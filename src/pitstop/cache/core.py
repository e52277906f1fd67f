"""The parts of one cache, put together: what it begins with, lives by and ends with."""

import asyncio
import atexit
import os
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from math import inf
from types import TracebackType
from typing import Any, Literal, Self

from sqlalchemy import Pool, event
from sqlalchemy.orm import Session

from pitstop.cache import arguments
from pitstop.cache import ttl as lifetime
from pitstop.cache.changes import ChangeLog
from pitstop.cache.coherence import Coherence, Policy
from pitstop.cache.commands import Command, Commands
from pitstop.cache.databases import watch_engines
from pitstop.cache.driver import AsyncDriver, BlockingDriver
from pitstop.cache.fence import CommitFence
from pitstop.cache.flow import Flows
from pitstop.cache.function import Cached
from pitstop.cache.invalidation import Invalidation
from pitstop.cache.loads import AsyncLoads, BlockingLoads
from pitstop.cache.memory import Memory
from pitstop.cache.namesakes import Namesakes
from pitstop.cache.outbox import DatabaseOutbox
from pitstop.cache.parts import Lease, Parts
from pitstop.cache.plain import PlainValues
from pitstop.cache.redis.topology import Client
from pitstop.cache.replicas import Primary
from pitstop.cache.responses import ResponseCache
from pitstop.cache.stats import Stats
from pitstop.cache.ttl import Duration
from pitstop.cache.upkeep import Upkeep
from pitstop.cache.watch import watch_transactions
from pitstop.errors import RedisUnavailable
from pitstop.settings import load_settings
from pitstop.transactions import join

__all__ = ["Core", "cache_of", "hits_and_calls"]

_MIB = 1024 * 1024
_PATIENT_SECONDS = 2.0
_caches: "weakref.WeakSet[Core]" = weakref.WeakSet()


class Core:
    """What :class:`pitstop.cache.Cache` stands on, and says the arguments of."""

    def __init__(
        self,
        redis: str | None = None,
        *,
        local_items: int = 1000,
        local_bytes: int = 64 * _MIB,
        namespace: str = "pitstop",
        default_ttl: Duration = 300,
        soft_timeout: float = 0.1,
        coherence: Literal["strict", "bounded"] = "strict",
        on_fence_failure: Literal["outbox", "refuse"] = "outbox",
        lease: float = 1.0,
        bound: float | None = None,
        shadow_rate: float = 0.0,
        enabled: bool | None = None,
    ) -> None:
        arguments.one_of("coherence", coherence, ("strict", "bounded"))
        arguments.one_of("on_fence_failure", on_fence_failure, ("outbox", "refuse"))
        arguments.positive("lease", lease)
        arguments.positive("soft_timeout", soft_timeout)
        arguments.number("local_items", local_items, 0, inf)
        arguments.number("local_bytes", local_bytes, 0, inf)
        arguments.number("shadow_rate", shadow_rate, 0, 1)
        self.enabled = load_settings().cache_enabled if enabled is None else enabled
        self._shadow_every = round(1 / shadow_rate) if shadow_rate > 0 else 0
        self._default_ttl = lifetime.seconds(default_ttl)
        self._changes = ChangeLog()
        self._memory = Memory(max_items=local_items, max_bytes=local_bytes)
        self._stats = Stats()
        self._commands = Commands(namespace)
        self._functions: weakref.WeakSet[Cached[Any, Any] | ResponseCache] = weakref.WeakSet()
        self._namesakes = Namesakes()
        self._events: dict[str, dict[str, None]] = {}
        self._client = Client(redis) if redis is not None and self.enabled else None
        self._keeping: dict[bytes, tuple[str, float]] = {}
        self._primaries: list[Primary] = []
        strict = coherence == "strict"
        self._coherence = self._join_others(Policy(lease=lease, memory=lease if strict else bound or lease))
        self._driver, self._blocking = self._drivers(soft_timeout)
        self._invalidation = Invalidation(
            self._commands,
            changes=self._changes,
            memory=self._memory,
            coherence=self._coherence,
            driver=self._driver,
            blocking=self._blocking,
            lease=lease,
            strict=strict,
            forgives=on_fence_failure == "outbox",
        )
        self._take_part_in_commits(namespace, refuses=on_fence_failure == "refuse")
        self._serve_reads()
        _caches.add(self)

    def _join_others(self, policy: Policy) -> Coherence | None:
        """What keeps this process in step with others; nothing where there is no Redis."""
        if self._client is None:
            return None
        self._upkeep = Upkeep(self._client, self._commands, keeping=self._keeping, renewals=self._renewals)
        return Coherence(
            self._client,
            commands=self._commands,
            changes=self._changes,
            policy=policy,
            recover=self._recover,
            trusts=self._trusts,
            tick=self._tick,
            drop=self._memory.drop,
        )

    def _drivers(self, soft_seconds: float) -> tuple[AsyncDriver, BlockingDriver]:
        return (
            AsyncDriver(client=self._client, coherence=self._coherence, soft_seconds=soft_seconds),
            BlockingDriver(client=self._client, coherence=self._coherence, soft_seconds=soft_seconds),
        )

    def _take_part_in_commits(self, namespace: str, *, refuses: bool) -> None:
        """What invalidates with a commit, and the outbox for commits that Redis cannot be told of."""
        self._leave: Callable[[], None] | None = None
        self._writes_matter = self._watches_engines = False
        self._joining = threading.Lock()
        self._outbox: DatabaseOutbox | None = None
        if self._coherence is not None:
            # nobody waits for it: not the soft time-out, which a busy machine exceeds
            _, patient = self._drivers(_PATIENT_SECONDS)
            self._outbox = DatabaseOutbox(
                namespace,
                tell=lambda tags: patient.drive(self._invalidation.telling(tags)),
                coherence=self._coherence,
            )
        self._fence = CommitFence(
            self._invalidation,
            driver=self._driver,
            blocking=self._blocking,
            refuses=refuses,
            outbox=self._outbox,
            namespace=namespace,
        )

    def _serve_reads(self) -> None:
        """What cached functions, responses and values by hand are read through."""
        flows = Flows(
            self._commands,
            changes=self._changes,
            memory=self._memory,
            coherence=self._coherence,
            stats=self._stats,
            keeping=self._keeping,
        )
        self._parts = Parts(
            enabled=self.enabled,
            changes=self._changes,
            memory=self._memory,
            lease=self._coherence or Lease(),
            loads=AsyncLoads(flows, self._driver),
            blocking=BlockingLoads(flows, self._blocking),
            invalidation=self._invalidation,
            start=self._begin,
        )
        self._plain = PlainValues(
            flows,
            driver=self._driver,
            invalidation=self._invalidation,
            changes=self._changes,
            memory=self._memory,
            lease=self._parts.lease,
            stats=self._stats,
            shared=self._client is not None,
        )

    def __repr__(self) -> str:
        state = "off" if not self.enabled else "in memory" if self._client is None else "with Redis"
        return f"<Cache {self._commands.prefix.decode()!r} {state}>"

    async def __aenter__(self) -> Self:
        with suppress(RedisUnavailable):  # the log tells; an application is to begin all the same
            await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def start(self, *, seconds: float = 2.0) -> None:
        """Connect now instead of at the first use, and wait until memory and Redis are used.

        Args:
            seconds: to wait at most.

        Raises:
            RedisUnavailable: no lease within that time; the cache goes on trying.
        """
        self._begin()
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while self._coherence is not None and not self._coherence.is_up:
            try:  # who waits is woken at each attempt that fails, too
                await asyncio.wait_for(asyncio.wrap_future(self._coherence.joined()), until - loop.time())
            except TimeoutError:
                why = self._coherence.trouble or "no answer"
                raise RedisUnavailable(
                    f"{self!r} could not reach redis within {seconds:g} s: {why}"
                ) from None

    async def close(self) -> None:
        """Give the lease back, close every connection, and take part in commits no longer.

        Close it when this process writes no more: commits after it invalidate nothing. It can be used again.
        """
        await asyncio.to_thread(self._end_threads)
        if self._client is not None:
            await self._client.close()
        self._drop_memory()

    def close_blocking(self) -> None:
        """As :meth:`close`, where nothing can be awaited: connections of event loops end with these."""
        self._end_threads()
        if self._client is not None:
            self._client.close_blocking()
        self._drop_memory()

    def _end_threads(self) -> None:
        self._leave_sessions()
        if self._coherence is not None:
            self._coherence.close()
        if self._outbox is not None:
            self._outbox.close()
        for primary in self._primaries:
            primary.close()

    def _begin(self) -> None:
        if self._writes_matter and self._leave is None:
            self._join_sessions()
        if self._coherence is not None:
            self._watch_engines()  # before a lease: it is trusted when their commits under way have ended
            self._coherence.start()

    def _watch(self, *, track: bool) -> None:
        """Sessions are watched: a load that reads what is not committed yet must not be kept."""
        self._watch_engines()
        watch_transactions(self._changes)
        if track and not self._fence.tracks:
            self._fence.tracks = True
            self._join_sessions()

    def _join_sessions(self) -> None:
        self._writes_matter = self.enabled
        with self._joining:
            if self.enabled and self._leave is None:
                self._watch_engines()
                self._leave = join(self._fence, Session)
                event.listen(Pool, "invalidate", self._connection_lost)

    def _leave_sessions(self) -> None:
        with self._joining:
            leave, self._leave = self._leave, None
            if leave is not None:
                leave()
                event.remove(Pool, "invalidate", self._connection_lost)

    def _connection_lost(self, connection: Any, record: Any, error: BaseException | None) -> None:
        self._fence.connection_lost(connection)

    def _renewals(self) -> list[Command]:
        return self._invalidation.renewals()

    def _watch_engines(self) -> None:
        if self._outbox is not None and not self._watches_engines:
            self._watches_engines = True
            watch_engines(self._outbox)

    def _recover(self) -> None:
        self._invalidation.replay()

    def _trusts(self, holder: bytes) -> bool:
        """Whether all that was committed without Redis has been told to it."""
        if self._invalidation.has_unfenced:
            return False  # the lease after that commit is another
        return self._outbox is None or self._outbox.trusts(holder)

    def _tick(self) -> None:
        self._upkeep.run()
        self._invalidation.sweep()

    def _drop_memory(self) -> None:
        self._changes.forget()
        self._memory.clear()
        for function in list(self._functions):
            function.forget_shortcuts()

    def _reset_after_fork(self) -> None:
        self._drop_memory()
        if self._coherence is not None:
            self._coherence.reset_after_fork()
        if self._outbox is not None:
            self._outbox.reset_after_fork()
        for primary in self._primaries:
            primary.reset_after_fork()


def hits_and_calls() -> tuple[int, int] | None:
    """How many calls the caches of this process answered, and of how many; None without a cache."""
    every = [each for cache in list(_caches) for each in cache._stats.snapshot().values()]
    hits = sum(each.memory_hits + each.redis_hits + each.stale_hits for each in every)
    return (hits, hits + sum(each.misses for each in every)) if every else None


def cache_of(function: "Cached[..., Any]") -> Core:
    """The cache that keeps the values of a function."""
    return next(cache for cache in list(_caches) if function.unbound in cache._functions)


def _leave() -> None:
    """At the end of the process: a lease that is given back is one that no writer waits for."""
    for cache in list(_caches):
        if cache._coherence is not None:
            cache._coherence.close(seconds=0.5)


def _reset_all() -> None:
    for cache in list(_caches):
        cache._reset_after_fork()


atexit.register(_leave)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_all)
