"""Whole responses, kept as bytes: the ASGI middleware that ``cache.responses`` makes."""

import re
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec

from pitstop.cache.background import behind
from pitstop.cache.capture import ASGIApp, ASGIScope, Capture, NotKept, Receive, Send
from pitstop.cache.clock import clock
from pitstop.cache.effects import Outcome
from pitstop.cache.memory import Held
from pitstop.cache.notes import current_notes
from pitstop.cache.page import Headers, Page, Variant, is_unchanged, make_page
from pitstop.cache.parts import Parts
from pitstop.cache.request import Recipe, Request, namespace_tag, with_families
from pitstop.cache.response_options import ResponseOptions
from pitstop.cache.squeeze import Squeeze
from pitstop.cache.stats import Counts

__all__ = ["ResponseCache", "Responses"]

_PASSING_SECONDS = 5.0
_MOST_PASSING = 10_000
_CACHED_METHODS = frozenset({"GET", "HEAD"})
_UNSHOWN = re.compile(r"[^\w/.~-]", re.ASCII)

# a load is for all: it must not see what its first client has, or can read
_HIDDEN = frozenset(
    {
        b"if-none-match",
        b"if-modified-since",
        b"if-match",
        b"if-unmodified-since",
        b"if-range",
        b"accept-encoding",
    }
)


class Responses:
    """Wraps applications: what ``cache.responses(...)`` gives, ready for ``add_middleware``.

    Args:
        parts: of the cache.
        recipe: how pages are kept.
        options: which, and what is told of them.
        counts: of the namespace.
        made: told of each middleware.
    """

    __name__ = "pitstop.cache.responses"

    def __init__(
        self,
        parts: Parts,
        *,
        recipe: Recipe,
        options: ResponseOptions,
        counts: Counts,
        made: Callable[["ResponseCache"], None],
    ) -> None:
        self._parts = parts
        self._recipe = recipe
        self._options = options
        self._counts = counts
        self._made = made

    def __call__(self, app: ASGIApp) -> "ResponseCache":
        """The application with its responses kept."""
        cached = ResponseCache(
            app, parts=self._parts, recipe=self._recipe, options=self._options, counts=self._counts
        )
        self._made(cached)
        return cached


class ResponseCache:
    """An ASGI application that answers from the cache, or by another application; arguments as of
    :class:`Responses`.
    """

    def __init__(
        self, app: ASGIApp, *, parts: Parts, recipe: Recipe, options: ResponseOptions, counts: Counts
    ) -> None:
        self.app = app
        self._parts = parts
        self._recipe = recipe
        self._options = options
        self._counts = counts
        self._passed = options.passed
        self._vary = options.vary
        self._choose = options.negotiation.choose
        self._changes = parts.changes
        self._lease = parts.lease
        self._shortcuts: dict[Any, Held] = {}
        self._passing: dict[str, float] = {}
        own = with_families(options.static)
        self._tags = (namespace_tag(recipe.namespace), *own)

    async def __call__(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        """Answer one request. Up to ``_send`` this is the hot path: no more than look-ups."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        given = scope["headers"]
        headers = dict(given)
        if len(headers) != len(given):
            headers = _joined(given)
        method = scope["method"]
        if method not in _CACHED_METHODS or not self._passed.isdisjoint(headers):
            return await self._direct(scope, receive, send, headers)
        get = headers.get
        place = (
            scope["path"],
            scope.get("query_string", b""),
            get(b"host"),
            scope.get("scheme"),
            scope.get("root_path", ""),
            *[get(name) for name in self._vary],
        )
        held = self._shortcuts.get(place)
        if held is None or not self._holds(held):
            page = await self._get(scope, receive, send, headers, place)
            if page is None:
                return None
        else:
            held.used = True
            self._counts.memory_hits += 1
            page = held.value
        return await self._send(page.variants[self._choose(get(b"accept-encoding"))], method, headers, send)

    def forget_shortcuts(self) -> None:
        """Nothing in memory is to be found by this middleware any more."""
        self._shortcuts = {}

    async def _send(self, variant: Variant, method: str, headers: dict[bytes, bytes], send: Send) -> None:
        asked = headers.get(b"if-none-match")
        status, told, body = 200, variant.headers, variant.body
        if asked is not None and is_unchanged(variant, asked):
            status, told, body = 304, variant.unchanged, b""
        elif method == "HEAD":
            body = b""
        # lists and dicts of its own for each: middleware may add to them
        await send({"type": "http.response.start", "status": status, "headers": told[:]})
        await send({"type": "http.response.body", "body": body})

    async def _direct(
        self, scope: ASGIScope, receive: Receive, send: Send, headers: dict[bytes, bytes]
    ) -> None:
        """Let the application answer; on the way the response is compressed."""
        encoding = self._choose(headers.get(b"accept-encoding"))
        if encoding and scope["method"] != "HEAD":
            send = Squeeze(send, encoding)
        await self.app(scope, receive, send)

    def _holds(self, held: Held) -> bool:
        """Whether a value in memory certainly holds now."""
        changes = self._changes
        if held.checked != changes.changes and not held.still_holds(changes):
            return False
        now = clock()
        if now >= held.fresh_until or now >= self._lease.memory_until:
            return False
        notes = current_notes()
        if notes is not None:
            notes.depend(held.tags)
        return True

    def _may_serve_stale(self, held: Held) -> bool:
        """Whether a value is only past its time: nothing that it depends on has changed."""
        return clock() < min(held.stale_until, self._lease.memory_until) and held.still_holds(self._changes)

    async def _get(
        self, scope: ASGIScope, receive: Receive, send: Send, headers: dict[bytes, bytes], place: Any
    ) -> Page | None:
        """The page that no look-up found; None if the client has been answered without one."""
        path = scope["path"]
        if not self._parts.enabled or not self._is_kept(path):
            await self._direct(scope, receive, send, headers)
            return None
        key, query = self._key(place)
        if self._passing and self._passes(key):
            await self._direct(scope, receive, send, headers)
            return None
        held = self._parts.memory.get(key)
        if held is not None and self._holds(held):
            self._counts.memory_hits += 1
            self._remember(held, place)
            return held.value  # type: ignore[no-any-return]
        if held is not None and self._may_serve_stale(held):
            self._counts.stale_hits += 1
            self._renew(key, held, self._capture(scope, query, None), place)
            return held.value  # type: ignore[no-any-return]
        return await self._load(key, query, scope, receive, send, headers, place)

    async def _load(
        self,
        key: str,
        query: bytes | None,
        scope: ASGIScope,
        receive: Receive,
        send: Send,
        headers: dict[bytes, bytes],
        place: Any,
    ) -> Page | None:
        self._parts.start()
        self._counts.misses += 1
        encoding = self._choose(headers.get(b"accept-encoding"))
        mine = self._capture(scope, query, (receive, Squeeze(send, encoding) if encoding else send))
        outcome = await self._parts.loads.get(self._request(key, mine))
        if isinstance(outcome.error, NotKept):
            self._pass(key)
            if outcome.error.capture is mine:
                await mine.finish()
            else:
                await self._direct(scope, receive, send, headers)
            return None
        if outcome.error is not None:
            raise outcome.error
        for name in ("route", "endpoint", "path_params"):  # what observers of the request look for
            if name in mine.scope:
                scope[name] = mine.scope[name]
        if outcome.stale:
            self._renew(key, None, self._capture(scope, query, None), place)
        return self._taken(outcome, place)

    def _taken(self, outcome: Outcome, place: Any) -> Page:
        self._remember(outcome.held, place)
        notes = current_notes()
        if notes is not None:
            notes.depend(outcome.tags)
        return outcome.value  # type: ignore[no-any-return]

    def _request(self, key: str, capture: Capture) -> Request:
        async def call() -> Page:
            page = await capture.run()
            self._options.note_tags(capture.scope)
            return page

        return Request(recipe=self._recipe, key=key, tags=self._tags, call=call, prompt=True)

    def _renew(self, key: str, held: Held | None, capture: Capture, place: Any) -> None:
        """Load anew behind the client's back."""
        if held is not None and held.refreshing:
            return
        if held is not None:
            held.refreshing = True
        behind(self._renewed(self._request(key, capture).to("renew"), held, place))

    async def _renewed(self, request: Request, held: Held | None, place: Any) -> None:
        try:
            outcome = await self._parts.loads.get(request)
            self._remember(outcome.held, place)
        finally:
            if held is not None:
                held.refreshing = False

    def _capture(self, scope: ASGIScope, query: bytes | None, client: tuple[Receive, Send] | None) -> Capture:
        own = dict(scope)
        own["method"] = "GET"  # HEAD is a GET without a body, also where a route knows only GET
        own["headers"] = [each for each in scope["headers"] if each[0] not in _HIDDEN]
        own["extensions"] = {}  # what we could not keep must not be sent
        if query is not None:
            own["query_string"] = query
        return Capture(self.app, own, client=client, rules=self._options.rules, make=self._make)

    async def _make(self, headers: Headers, body: bytes) -> Page:
        options = self._options
        return await make_page(
            headers,
            body,
            encodings=options.negotiation.encodings,
            vary=b",".join(options.vary),
            cache_control=options.cache_control,
        )

    def _remember(self, held: Held | None, place: Any) -> None:
        """Let the next request like this find it without a key."""
        if held is None or held.shortcut is not None:
            return
        held.found_by(self._shortcuts, place)

    def _key(self, place: tuple[Any, ...]) -> tuple[str, bytes | None]:
        """The key, and the query that the application is to see if not all of it counts."""
        path, query, *others = place
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, encoding="latin-1")
        counted = self._options.query
        seen = None
        if counted is not None:
            pairs = [each for each in pairs if each[0] in counted]
            seen = urlencode(pairs, encoding="latin-1").encode()
        pairs.sort(key=lambda pair: pair[0])  # values of one name stay in their order
        parts = (self._options.identity, path, pairs, others)
        digest = blake2b(msgspec.msgpack.encode(parts), digest_size=16)
        digest.update(self._recipe.namespace.encode())
        return f"{_UNSHOWN.sub('_', path)[:64]}.{digest.hexdigest()}", seen

    def _is_kept(self, path: str) -> bool:
        paths = self._options.paths
        return not paths or any(each.fullmatch(path) for each in paths)

    def _pass(self, key: str) -> None:
        """Let the next requests for this go straight to the application: they would only queue here."""
        if len(self._passing) >= _MOST_PASSING:
            self._passing.clear()
        self._passing[key] = clock() + _PASSING_SECONDS

    def _passes(self, key: str) -> bool:
        until = self._passing.get(key)
        if until is None:
            return False
        if clock() < until:
            return True
        self._passing.pop(key, None)
        return False


def _joined(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Headers of which some came several times."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        found[name] = found[name] + b", " + value if name in found else value
    return found
