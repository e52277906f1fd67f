"""``Cache``: what an application holds in its hands."""

import asyncio
import atexit
import fnmatch
import inspect
import logging
import os
import threading
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Literal, ParamSpec, Protocol, Self, TypeVar, cast, overload

from sqlalchemy import Engine, Pool, event
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import Session

from pitstop.cache import ttl as lifetime
from pitstop.cache.annotations import resolved
from pitstop.cache.changes import ChangeLog
from pitstop.cache.codec import codec_for
from pitstop.cache.coherence import Coherence, Policy
from pitstop.cache.commands import Command, Commands
from pitstop.cache.databases import database_of, watch_engines
from pitstop.cache.driver import AsyncDriver, BlockingDriver
from pitstop.cache.fence import CommitFence, RowTags
from pitstop.cache.flow import Flows, checked
from pitstop.cache.function import AsyncCached, Cached, Lease, Parts, SyncCached
from pitstop.cache.invalidation import Invalidation
from pitstop.cache.key import KeyMaker, TagTemplate
from pitstop.cache.loads import AsyncLoads, BlockingLoads
from pitstop.cache.memory import Memory
from pitstop.cache.notes import current_notes
from pitstop.cache.outbox import DatabaseOutbox
from pitstop.cache.page import ENCODINGS, PageCodec
from pitstop.cache.plain import PlainValues
from pitstop.cache.redis.topology import Client
from pitstop.cache.request import Recipe, namespace_tag, user_tag, with_families
from pitstop.cache.response_options import ResponseOptions, ResponseTag
from pitstop.cache.responses import ResponseCache, Responses
from pitstop.cache.stats import CacheStats, Stats
from pitstop.cache.ttl import Adaptive, Duration
from pitstop.cache.upkeep import Upkeep
from pitstop.cache.watch import watch_transactions
from pitstop.errors import RedisUnavailable, SettingsError
from pitstop.settings import load_settings
from pitstop.transactions import join

__all__ = ["Cache", "hits_and_calls"]

log = logging.getLogger("pitstop.cache")

P = ParamSpec("P")
R = TypeVar("R")

_MIB = 1024 * 1024
_SCAN = 500
_PATIENT_SECONDS = 2.0
_caches: "weakref.WeakSet[Cache]" = weakref.WeakSet()


class CachedDecorator(Protocol):
    """What :meth:`Cache.cached` gives."""

    @overload
    def __call__(self, function: Callable[P, Awaitable[R]]) -> AsyncCached[P, R]: ...  # type: ignore[overload-overlap]

    @overload
    def __call__(self, function: Callable[P, R]) -> SyncCached[P, R]: ...


class Cache:
    """Values of functions, kept in the process and in Redis, that are never served stale.

    ::

        cache = Cache(redis="redis://localhost:6379/0")

        @cache.cached(ttl="5m", tags=["order:{order_id}"])
        async def order_summary(order_id: int) -> OrderSummary: ...

        cache.invalidate_on_commit(Order, tags=lambda order: [f"order:{order.id}"])

    It starts with its first use. ``docs/cache.md`` says what is promised, at what price, within what limits.

    Args:
        redis: URL of one node, a Cluster (found out) or Sentinels (``redis+sentinel://host:port/master``);
            None for the memory of this process alone.
        local_items: values held in memory; 0 for none.
        local_bytes: their size together, an estimate.
        namespace: begins every key in Redis: caches with the same one are one cache.
        default_ttl: seconds, or ``"5m"``, for functions that say nothing.
        soft_timeout: seconds one exchange with Redis may take before a call goes on without it.
        coherence: ``"strict"``: a read that begins after a commit or ``invalidate`` has returned never gives
            what was before it, in any process; for that a writer waits until every process knows.
            ``"bounded"``: so in the writing process; in others memory may be ``bound`` seconds behind.
        on_fence_failure: when Redis cannot be told of a commit: ``"outbox"`` goes on once nobody can be using
            it, and tells it later; ``"refuse"`` raises :class:`pitstop.errors.FenceFailed`.
        lease: seconds a process may serve from memory after it last heard from Redis, and a writer waits at
            most for one that does not answer.
        bound: seconds memory may be behind, for ``"bounded"``; the lease unless given.
        shadow_rate: share of the hits in memory that are compared with the function behind the caller's back;
            ``stats()`` tells how many differed. It costs as many calls.
        enabled: False to call every function; None for ``PITSTOP_CACHE_ENABLED``.

    Raises:
        SettingsError: an argument cannot work.
    """

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
        _one_of("coherence", coherence, ("strict", "bounded"))
        _one_of("on_fence_failure", on_fence_failure, ("outbox", "refuse"))
        _positive("lease", lease)
        _positive("soft_timeout", soft_timeout)
        self.enabled = load_settings().cache_enabled if enabled is None else enabled
        self._shadow_every = round(1 / shadow_rate) if shadow_rate > 0 else 0
        self._default_ttl = lifetime.seconds(default_ttl)
        self._changes = ChangeLog()
        self._memory = Memory(max_items=local_items, max_bytes=local_bytes)
        self._stats = Stats()
        self._commands = Commands(namespace)
        self._functions: weakref.WeakSet[Cached[Any, Any] | ResponseCache] = weakref.WeakSet()
        self._client = Client(redis) if redis is not None and self.enabled else None
        self._leave: Callable[[], None] | None = None
        self._writes_matter = False
        self._joining = threading.Lock()
        self._events: dict[str, dict[str, None]] = {}
        keeping: dict[bytes, tuple[str, float]] = {}
        self._coherence: Coherence | None = None
        if self._client is not None:
            self._upkeep = Upkeep(
                self._client,
                self._commands,
                keeping=keeping,
                renewals=self._renewals,
            )
            self._coherence = Coherence(
                self._client,
                commands=self._commands,
                changes=self._changes,
                policy=Policy(lease=lease, memory=lease if coherence == "strict" else bound or lease),
                recover=self._recover,
                trusts=self._trusts,
                tick=self._tick,
                drop=self._memory.drop,
            )
        soft = {"client": self._client, "coherence": self._coherence, "soft_seconds": soft_timeout}
        self._driver = AsyncDriver(**soft)  # type: ignore[arg-type]
        blocking = BlockingDriver(**soft)  # type: ignore[arg-type]
        self._flows = Flows(
            self._commands,
            changes=self._changes,
            memory=self._memory,
            coherence=self._coherence,
            stats=self._stats,
            keeping=keeping,
        )
        self._invalidation = Invalidation(
            self._commands,
            changes=self._changes,
            memory=self._memory,
            coherence=self._coherence,
            driver=self._driver,
            blocking=blocking,
            lease=lease,
            strict=coherence == "strict",
            forgives=on_fence_failure == "outbox",
        )
        self._outbox: DatabaseOutbox | None = None
        if self._coherence is not None:
            # nobody waits for it: not the soft time-out, which a busy machine exceeds
            patient = BlockingDriver(
                client=self._client, coherence=self._coherence, soft_seconds=_PATIENT_SECONDS
            )
            self._outbox = DatabaseOutbox(
                namespace,
                tell=lambda tags: patient.drive(self._invalidation.telling(tags)),
                coherence=self._coherence,
            )
        self._fence = CommitFence(
            self._invalidation,
            driver=self._driver,
            blocking=blocking,
            refuses=on_fence_failure == "refuse",
            outbox=self._outbox,
            namespace=namespace,
        )
        self._parts = Parts(
            enabled=self.enabled,
            changes=self._changes,
            memory=self._memory,
            lease=self._coherence or Lease(),
            loads=AsyncLoads(self._flows, self._driver),
            blocking=BlockingLoads(self._flows, blocking),
            invalidation=self._invalidation,
            start=self._begin,
        )
        self._plain = PlainValues(
            self._flows,
            driver=self._driver,
            invalidation=self._invalidation,
            changes=self._changes,
            memory=self._memory,
            lease=self._parts.lease,
            counts=self._stats.of("default"),
            shared=self._client is not None,
        )
        _caches.add(self)

    def __repr__(self) -> str:
        state = "off" if not self.enabled else "in memory" if self._client is None else "with Redis"
        return f"<Cache {self._commands.prefix.decode()!r} {state}>"

    async def __aenter__(self) -> Self:
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
                raise RedisUnavailable(f"{self!r} could not reach redis within {seconds:g} s") from None

    async def close(self) -> None:
        """Give the lease back, close every connection, and take part in commits no longer.

        Close it when this process writes no more: commits after it invalidate nothing. It can be used again.
        """
        self._leave_sessions()
        if self._coherence is not None:
            await asyncio.to_thread(self._coherence.close)
        if self._outbox is not None:
            self._outbox.close()
        if self._client is not None:
            await self._client.close()
        self._drop_memory()

    def close_blocking(self) -> None:
        """As :meth:`close`, where nothing can be awaited: connections of event loops end with these."""
        if self._coherence is not None:
            self._coherence.close()
        if self._client is not None:
            self._client.close_blocking()
        self._drop_memory()

    def cached(
        self,
        *,
        ttl: "Duration | Adaptive | None" = None,
        namespace: str = "default",
        tags: Sequence[TagTemplate] = (),
        key: str | Callable[..., Any] | None = None,
        stale_for: Duration = 0.0,
        early: float = 0.0,
        negative_ttl: float | None = None,
        ignore: Iterable[str] = (),
        copy: bool = False,
        track: bool = False,
        compression: int = 1,
    ) -> CachedDecorator:
        """Keep the values of a function or method, async or sync.

        Args:
            ttl: how long a value is fresh: seconds, ``"5m"``, a timedelta, a kind of data (``"trending"``)
                or :class:`Adaptive`. None for the cache's default.
            namespace: what statistics count it to; dropped as a whole by :meth:`invalidate_namespace`.
            tags: at most 8 templates over the arguments (``"order:{order_id}"``) or functions of them.
            key: instead of all arguments: a template or a function of them.
            stale_for: seconds after ``ttl`` for which an old value (of which nothing has changed) is served
                while it is loaded anew, or when loading fails.
            early: how eagerly a popular value is loaded anew before its time is over; 1 is usual, 0 never.
            negative_ttl: how long None is remembered; 0 not at all, None as anything else.
            ignore: arguments that the value does not depend on, such as sessions.
            copy: give each caller a copy of its own; else all share one object that nobody must change.
            track: tags from the statements that run in it: rows read by primary key, tables otherwise.
            compression: level of zstandard, for values from 1 KiB.

        Raises:
            UnkeyableArgument: an annotation tells that an argument cannot be part of a key.
            UncacheableValue: the return annotation tells that the value cannot be kept.
            SettingsError: another argument cannot work.
        """
        ignored = frozenset([ignore] if isinstance(ignore, str) else ignore)
        fresh = self._fresh(ttl)

        def decorate(function: Callable[..., Any]) -> Any:
            keys = KeyMaker(function, namespace=namespace, ignore=ignored, key=key)
            keys.check_templates(tags)
            recipe = Recipe(
                name=keys.name,
                namespace=namespace,
                codec=codec_for(resolved(function).get("return", Any), function=keys.name),
                ttl=fresh,
                stale_for=lifetime.seconds(stale_for) if stale_for else 0.0,
                negative_ttl=negative_ttl,
                early=early,
                level=compression,
                track=track,
                repeatable=not ignored,
            )
            self._watch(track=track)
            kind = AsyncCached if inspect.iscoroutinefunction(function) else SyncCached
            cached: Cached[Any, Any] = kind(
                function,
                parts=self._parts,
                recipe=recipe,
                keys=keys,
                tags=tuple(tags),
                counts=self._stats.of(namespace),
                ignored=ignored,
                copied=copy,
                shadow_every=self._shadow_every,
            )
            self._functions.add(cached)
            return cached

        return cast("CachedDecorator", decorate)

    def responses(
        self,
        *,
        ttl: "Duration | Adaptive | None" = None,
        tags: Sequence[ResponseTag] = (),
        vary: Sequence[str] = (),
        namespace: str = "responses",
        paths: Sequence[str] = (),
        query: Sequence[str] | None = None,
        stale_for: Duration = 0.0,
        public: bool = False,
        max_age: int = 0,
        s_maxage: int | None = None,
        stale_while_revalidate: int | None = None,
        encodings: Sequence[str] = ENCODINGS,
        max_body: int = _MIB,
        version: str = "",
    ) -> Responses:
        """Keep whole responses: ``app.add_middleware(cache.responses(ttl=60))``; for any ASGI ``(...)(app)``.

        Kept are answers to GET (HEAD is answered from them) with status 200, complete, without Set-Cookie
        and without ``Cache-Control: no-store``, ``no-cache`` or ``private``, to requests without
        Authorization, Cookie or an API key. All others pass, compressed and streamed. What cached functions
        that made a response depend on, it depends on too.

        Args:
            ttl: as of :meth:`cached`.
            tags: templates over path and query parameters (``"post:{post_id}"``; left out where a route has
                no such parameter), or functions of the ASGI scope; see also :meth:`tag`.
            vary: request headers that the response depends on; Cookie and Authorization among them keep a
                response for each value of theirs.
            namespace: as of :meth:`cached`; two applications on one cache need two.
            paths: which are kept (``"/posts/{id}"``, ``"/static/{rest:path}"``); empty for all.
            query: names of query parameters that count; the application does not see others. None for all.
            stale_for: as of :meth:`cached`.
            public: whether CDNs may keep it, as far as the next three say.
            max_age: seconds a browser uses it without asking.
            s_maxage: seconds a CDN does; nothing tells it of an invalidation.
            stale_while_revalidate: seconds after that in which it may be used while it is asked for.
            encodings: made beside the plain body, the best first.
            max_body: bytes; what is longer passes.
            version: another one leaves all that was kept behind, as after a change of the application.

        Raises:
            SettingsError: an argument cannot work.
        """
        options = ResponseOptions(
            tags=tags,
            vary=vary,
            query=query,
            paths=paths,
            public=public,
            max_age=max_age,
            s_maxage=s_maxage,
            stale_while_revalidate=stale_while_revalidate,
            encodings=encodings,
            max_body=max_body,
            version=version,
        )
        recipe = Recipe(
            name="cache.responses",
            namespace=namespace,
            codec=PageCodec(bytes, function="cache.responses"),
            ttl=self._fresh(ttl),
            stale_for=lifetime.seconds(stale_for) if stale_for else 0.0,
        )
        self._watch(track=False)
        counts = self._stats.of(namespace)
        return Responses(self._parts, recipe=recipe, options=options, counts=counts, made=self._functions.add)

    def tag(self, *tags: str) -> None:
        """Say within a cached function, or while a response is made, what it turns out to depend on.

        Elsewhere it does nothing. At most 64 tags, those of ``tags=`` included; with more it is not kept.
        """
        notes = current_notes()
        if notes is not None:
            notes.depend(with_families(tags))

    async def invalidate(self, *tags: str) -> None:
        """Invalidate everything that carries one of these tags; a family (``"order"``) all of its tags.

        When it returns, no process serves any of it.

        Raises:
            RedisUnavailable: with ``on_fence_failure="refuse"``, Redis cannot be told now. It is told later.
        """
        await self._invalidation.tags(map(user_tag, tags))

    async def invalidate_namespace(self, *namespaces: str) -> None:
        """Invalidate everything in these namespaces, as :meth:`invalidate` does."""
        await self._invalidation.tags(map(namespace_tag, namespaces))

    async def invalidate_pattern(self, pattern: str) -> int:
        """Drop the values whose keys match a pattern (``"user:*"``); searches Redis by SCAN.

        It takes time in proportion to everything stored: tags are for what happens often.

        Returns:
            how many values were dropped.
        """
        dropped = {key for key in self._memory.held_keys() if fnmatch.fnmatchcase(key, pattern)}
        if dropped:
            await self._invalidation.drop(sorted(dropped))
        if self._client is not None:
            async for keys in self._scan(pattern):
                await self._invalidation.drop(keys)
                dropped.update(keys)
        return len(dropped)

    async def clear(self) -> int:
        """Drop every value, in Redis and in the memory of every process; searches Redis by SCAN.

        Returns:
            how many values were dropped from Redis.
        """
        dropped = await self.invalidate_pattern("*")
        await self._invalidation.forget_everything()
        self._drop_memory()
        return dropped

    def depends(self, event: str, *, on: Iterable[str]) -> None:
        """What an event concerns: :meth:`publish` of it invalidates these tags and namespaces."""
        self._events.setdefault(event, {}).update(dict.fromkeys(on))

    async def publish(self, event: str) -> None:
        """Something happened: invalidate what :meth:`depends` says.

        Raises:
            SettingsError: nothing was said to depend on it.
        """
        names = self._events.get(event)
        if names is None:
            known = ", ".join(sorted(self._events)) or "none"
            raise SettingsError(f"nothing depends on event {event!r}; known are: {known}")
        await self._invalidation.tags(
            [each for name in names for each in (user_tag(name), namespace_tag(name))]
        )

    def invalidate_on_commit(self, model: type, *, tags: RowTags, columns: Iterable[str] = ()) -> None:
        """Invalidate tags when a session commits rows of a model, in sync and async sessions.

        What was rolled back invalidates nothing. A bulk statement on the model's tables, or any ``text()``
        that may write, invalidates the families of the tags.

        Args:
            model: a mapped class.
            tags: of one row: templates over its attributes (``["order:{id}"]``) or a function of it; called
                for a changed row as it is and as it was.
            columns: attributes; a changed row counts only if one of them changed, a new or deleted one
                always. Empty for all.

        Raises:
            SettingsError: the families of the tags cannot be learnt from the function, or a column is not
                of the model.
        """
        self._fence.add(model, tags, columns=columns)
        self._join_sessions()

    def use_outbox(self, engine: "Engine | AsyncEngine") -> None:
        """Look into the outbox of this database before anything in Redis is trusted.

        The databases of engines are found when they are first used, with the user, host and options of
        their URL. This says it sooner, before the cache starts; and a sync engine of psycopg says how to
        connect where the URL alone does not tell.

        Args:
            engine: of PostgreSQL, whose database has the table of ``pitstop cache install``.

        Raises:
            SettingsError: it is no engine of PostgreSQL.
        """
        engine = engine.sync_engine if isinstance(engine, AsyncEngine) else engine
        database = database_of(engine)
        if database is None:
            raise SettingsError(f"an outbox needs PostgreSQL, this engine is of {engine.dialect.name}")
        if self._outbox is not None:
            self._outbox.add_database(database, named=True)
            watch_engines(self._outbox)

    async def get(self, key: str, default: Any = None) -> Any:
        """What :meth:`set` stored under a key, or ``default``."""
        return (await self.get_many([key])).get(key, default)

    async def get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        """What is stored under keys; those without a value are left out."""
        if not self.enabled:
            return {}
        self._begin()
        return await self._plain.get_many(keys)

    async def set(
        self, key: str, value: Any, *, ttl: Duration | None = None, tags: Iterable[str] = ()
    ) -> bool:
        """Store plain data under a key; when it returns, no process serves what was there.

        Args:
            key: any string.
            value: what JSON can say.
            ttl: as of :meth:`cached`.
            tags: names that invalidate it.

        Returns:
            whether it is stored; not while Redis is away or a writer is at work on the tags.

        Raises:
            UncacheableValue: it is no plain data.
        """
        return await self.set_many({key: value}, ttl=ttl, tags=tags)

    async def set_many(
        self, values: Mapping[str, Any], *, ttl: Duration | None = None, tags: Iterable[str] = ()
    ) -> bool:
        """Store several, as :meth:`set` does; True if all are stored."""
        if not self.enabled or not values:
            return False
        self._begin()
        fresh = self._default_ttl if ttl is None else lifetime.seconds(ttl)
        return await self._plain.set_many(values, fresh=fresh, tags=with_families(tuple(tags)))

    async def delete(self, *keys: str) -> None:
        """Drop the values of keys; when it returns, no process serves them."""
        await self._invalidation.drop(keys)

    async def warm(
        self,
        function: "AsyncCached[..., Any]",
        combinations: Iterable[Any],
        *,
        concurrency: int = 10,
        progress: Callable[[int], None] | None = None,
    ) -> int:
        """Load and keep the values of many arguments.

        Args:
            function: a cached async function.
            combinations: of arguments: a tuple for positional ones, a mapping for named ones, or one value.
            concurrency: loads at once.
            progress: called with the number done after each.

        Returns:
            how many were loaded. The first error ends it, after the loads under way.
        """
        done = 0
        pending = iter(combinations)

        async def work() -> None:
            nonlocal done
            for each in pending:
                if isinstance(each, Mapping):
                    await function.refresh(**each)
                else:
                    await function.refresh(*(each if isinstance(each, tuple) else (each,)))
                done += 1
                if progress is not None:
                    progress(done)

        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(work())
        return done

    def stats(self) -> CacheStats:
        """What this cache did in this process."""
        return CacheStats(
            namespaces=self._stats.snapshot(),
            items=len(self._memory),
            bytes=self._memory.bytes,
            evictions=self._memory.evictions,
            up=None if self._coherence is None else self._coherence.is_up,
            stored_bytes=self._stats.stored_bytes,
            encoded_bytes=self._stats.encoded_bytes,
        )

    def _fresh(self, ttl: "Duration | Adaptive | None") -> float | Adaptive:
        if isinstance(ttl, Adaptive):
            return ttl
        return self._default_ttl if ttl is None else lifetime.seconds(ttl)

    def _begin(self) -> None:
        if self._writes_matter and self._leave is None:
            self._join_sessions()
        if self._coherence is not None:
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
        if self._outbox is not None:
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

    async def _scan(self, pattern: str) -> AsyncIterator[list[str]]:
        """Keys in Redis that match, a few hundred at a time."""
        assert self._client is not None, "only memory is searched without Redis"
        start = self._commands.value("")[:-1]
        match = _escaped(start) + pattern.encode() + b"}"
        for address in await self._client.masters(seconds=2.0):
            cursor = b"0"
            while True:
                scan = (b"SCAN", cursor, b"MATCH", match, b"COUNT", b"%d" % _SCAN)
                (reply,) = checked(await self._client.run([scan], seconds=2.0, address=address))
                cursor, found = reply
                if found:
                    yield [each[len(start) : -1].decode() for each in found]
                if cursor == b"0":
                    break

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


def _escaped(prefix: bytes) -> bytes:
    return b"".join(
        b"\\" + each if each in b"*?[]\\^" else each
        for each in (prefix[i : i + 1] for i in range(len(prefix)))
    )


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise SettingsError(f"{name}={value!r} is none of {', '.join(map(repr, allowed))}")


def _positive(name: str, value: float) -> None:
    if not value > 0:
        raise SettingsError(f"{name}={value!r} is not above zero; give seconds")


def hits_and_calls() -> tuple[int, int] | None:
    """How many calls the caches of this process answered, and of how many; None without a cache."""
    every = [each for cache in list(_caches) for each in cache.stats().namespaces.values()]
    hits = sum(each.memory_hits + each.redis_hits + each.stale_hits for each in every)
    return (hits, hits + sum(each.misses for each in every)) if every else None


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
