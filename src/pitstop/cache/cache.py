"""``Cache``: what an application holds in its hands."""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from math import inf
from typing import Any, ParamSpec, Protocol, TypeVar, cast, overload

from sqlalchemy import Engine
from sqlalchemy.ext.asyncio import AsyncEngine

from pitstop.cache import arguments
from pitstop.cache import ttl as lifetime
from pitstop.cache import warm as warming
from pitstop.cache.annotations import resolved
from pitstop.cache.codec import codec_for
from pitstop.cache.core import Core
from pitstop.cache.databases import Database, database_of, watch_engines
from pitstop.cache.function import Cached
from pitstop.cache.function_async import AsyncCached
from pitstop.cache.function_sync import SyncCached
from pitstop.cache.key import KeyMaker, TagTemplate
from pitstop.cache.notes import current_notes
from pitstop.cache.page import ENCODINGS, PageCodec
from pitstop.cache.replicas import Primary, name_replica
from pitstop.cache.request import Recipe, namespace_tag, user_tag, with_families
from pitstop.cache.response_options import ResponseOptions, ResponseTag
from pitstop.cache.responses import Responses
from pitstop.cache.row_rules import RowTags
from pitstop.cache.search import key_pattern, stored_keys
from pitstop.cache.stats import CacheStats
from pitstop.cache.ttl import Adaptive, Duration
from pitstop.errors import SettingsError

__all__ = ["Cache"]

_MIB = 1024 * 1024


P = ParamSpec("P")
R = TypeVar("R")


class CachedDecorator(Protocol):
    """What :meth:`Cache.cached` gives."""

    @overload
    def __call__(self, function: Callable[P, Awaitable[R]]) -> AsyncCached[P, R]: ...  # type: ignore[overload-overlap]

    @overload
    def __call__(self, function: Callable[P, R]) -> SyncCached[P, R]: ...


class Cache(Core):
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

    def cached(
        self,
        *,
        ttl: "Duration | Adaptive | None" = None,
        namespace: str = "default",
        tags: Sequence[TagTemplate] = (),
        key: str | Callable[..., Any] | None = None,
        stale_for: Duration = 0.0,
        early: float = 0.0,
        negative_ttl: Duration | None = None,
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
            negative_ttl: how long None is remembered, as ``ttl``; 0 not at all, None as anything else.
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
        negative = None if negative_ttl is None else lifetime.seconds_or_none(negative_ttl)
        arguments.number("early", early, 0, inf)
        arguments.number("compression", compression, 1, 22)

        def decorate(function: Callable[..., Any]) -> Any:
            keys = KeyMaker(function, namespace=namespace, ignore=ignored, key=key)
            keys.check_templates(tags)
            number = self._namesakes.number(keys.identity, function)
            if number:
                keys.set_apart(number)
            recipe = Recipe(
                name=keys.name,
                namespace=namespace,
                codec=codec_for(resolved(function).get("return", Any), function=keys.name),
                ttl=fresh,
                stale_for=lifetime.seconds_or_none(stale_for),
                negative_ttl=negative,
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
            stale_for=lifetime.seconds_or_none(stale_for),
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
            notes.depend(with_families(tuple(arguments.names("tag", tags))))

    async def invalidate(self, *tags: str) -> None:
        """Invalidate everything that carries one of these tags; a family (``"order"``) all of its tags.

        When it returns, no process serves any of it.

        Raises:
            RedisUnavailable: with ``on_fence_failure="refuse"``, Redis cannot be told now. It is told later.
        """
        await self._invalidation.tags(map(user_tag, arguments.names("tag", tags)))

    async def invalidate_namespace(self, *namespaces: str) -> None:
        """Invalidate everything in these namespaces, as :meth:`invalidate` does."""
        await self._invalidation.tags(map(namespace_tag, arguments.names("namespace", namespaces)))

    async def invalidate_pattern(self, pattern: str) -> int:
        """Drop the values whose keys match a pattern (``"user:*"``, as of Redis' ``MATCH``), found by SCAN.

        It takes time in proportion to everything stored: tags are for what happens often.

        Returns:
            how many values were dropped.
        """
        matching = key_pattern(pattern)
        dropped = {key for key in self._memory.held_keys() if matching.fullmatch(key.encode())}
        if dropped:
            await self._invalidation.drop(sorted(dropped))
        if self._client is not None:
            async for keys in stored_keys(self._client, self._commands, pattern):
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
        self._events.setdefault(event, {}).update(dict.fromkeys(arguments.listed("on", on)))

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
        database = _postgresql(engine, "an outbox")
        if self._outbox is not None:
            self._outbox.add_database(database, named=True)
            watch_engines(self._outbox)

    def use_replica(
        self, engine: "Engine | AsyncEngine", *, primary: "Engine | AsyncEngine", wait: float = 0.1
    ) -> None:
        """Keep what is loaded from a replica, if the replica had all that was committed when the load began.

        Without it nothing that was read on a server in recovery is kept. Each load that reads there asks the
        primary how far its log reaches, and the replica how far it has replayed: two round trips. The
        outbox of the primary is looked after as by :meth:`use_outbox`, and how it is reached is said there.

        Args:
            engine: of a streaming replica, at isolation level READ COMMITTED.
            primary: of the server that it replays. Not looked into whether it is that one.
            wait: seconds that a load waits at most for the replica to catch up, before it reads what is
                there and keeps nothing.

        Raises:
            SettingsError: one of them is no engine of PostgreSQL, or ``wait`` is below zero.
        """
        if wait < 0:
            raise SettingsError(f"wait={wait!r} is below zero; give seconds")
        _postgresql(engine, "a replica")
        self.use_outbox(primary)
        self._primaries.append(Primary(_postgresql(primary, "a primary"), wait=wait))
        name_replica(_sync(engine), of=self._primaries[-1])

    async def get(self, key: str, default: Any = None) -> Any:
        """What :meth:`set` stored under a key, or ``default``."""
        return (await self.get_many([key])).get(key, default)

    async def get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        """What is stored under keys; those without a value are left out."""
        asked = arguments.listed("keys", keys)
        if not self.enabled:
            return {}
        self._begin()
        return await self._plain.get_many(asked)

    async def set(
        self, key: str, value: Any, *, ttl: Duration | None = None, tags: Iterable[str] = ()
    ) -> bool:
        """Store plain data under a key; when it returns, no process serves what was there.

        Args:
            key: any string.
            value: what JSON can say, and bytes.
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
        arguments.names("key", values)
        self._begin()
        fresh = self._default_ttl if ttl is None else lifetime.seconds(ttl)
        return await self._plain.set_many(
            values, fresh=fresh, tags=with_families(arguments.listed("tags", tags))
        )

    async def delete(self, *keys: str) -> None:
        """Drop the values of keys; when it returns, no process serves them."""
        await self._invalidation.drop(arguments.names("key", keys))

    async def warm(
        self,
        function: "AsyncCached[..., Any] | SyncCached[..., Any]",
        combinations: Iterable[Any],
        *,
        concurrency: int = 10,
        using: warming.Makers | None = None,
        progress: Callable[[int], None] | None = None,
        failed: Callable[[Any, Exception], None] | None = None,
    ) -> int:
        """Load and keep the values of many arguments.

        Args:
            function: a cached function; a sync one is called in threads.
            combinations: of arguments: a tuple for positional ones, a mapping for named ones, or one value.
            concurrency: loads at once.
            using: what makes an argument anew for each load: ``{"session": Session}``. What can be entered
                (``async with``, ``with``) is, and left after the load.
            progress: called with the number done after each.
            failed: called with the combination and the error of a load that fails; then the others go on.
                None: the first error is raised, after the loads under way.

        Returns:
            how many were loaded.

        Raises:
            SettingsError: ``concurrency`` is below 1.
        """
        return await warming.warm(
            function, combinations, concurrency=concurrency, progress=progress, using=using, failed=failed
        )

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


def _sync(engine: "Engine | AsyncEngine") -> Engine:
    return engine.sync_engine if isinstance(engine, AsyncEngine) else engine


def _postgresql(engine: "Engine | AsyncEngine", what: str) -> Database:
    database = database_of(_sync(engine))
    if database is None:
        raise SettingsError(f"{what} needs PostgreSQL, this engine is of {engine.dialect.name}")
    return database
