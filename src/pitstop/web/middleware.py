"""The ASGI middleware that makes a scope of every HTTP request."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from pitstop.scope import Handler, Scope
from pitstop.web.route import UNROUTED, ASGIScope, handler_of, request_name

__all__ = ["ASGIApp", "ObserveMiddleware"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[ASGIScope, Receive, Send], Awaitable[None]]

_KEY = "pitstop.scope"
_MAX_NAMES = 1_000


class _Request(Scope):
    """The scope of a request; while it lasts, its name is read from what the router left so far."""

    __slots__ = ("asgi",)

    asgi: ASGIScope | None

    def current_name(self) -> str:
        """The route template, as soon as there is one."""
        if self.name is not UNROUTED or self.asgi is None:
            return self.name
        return request_name(self.asgi, status=self.status)


class ObserveMiddleware:
    """Opens a scope for each HTTP request and names it by its route template.

    The scope ends when the application returns: after the last byte of a streamed response and after
    background tasks. Exceptions pass through untouched. WebSockets are left alone, because one scope
    for a connection that lives for hours tells nothing. Installed twice, the inner one joins.

    Args:
        app: any ASGI 3 application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._named: set[str] = set()

    async def __call__(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        if _KEY in scope:
            return await self._join(scope, receive, send)
        request = scope[_KEY] = _Request(UNROUTED, kind="request")
        request.asgi = scope
        request.enter()

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                request.status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception:  # not a cancellation: the client went away, nothing failed
            request.failed = True
            raise
        finally:
            if request.name is UNROUTED:
                request.name = request_name(scope, status=request.status)
            if request.name not in self._named:
                self._tell_handler(request, scope)
            request.asgi = None
            request.leave()

    def _tell_handler(self, request: Scope, scope: ASGIScope) -> None:
        """Once for each route: what answers it."""
        if len(self._named) < _MAX_NAMES:
            self._named.add(request.name)
            handler = handler_of(scope)
            if handler is not None:
                request.parts[Handler] = handler

    async def _join(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        # The key in the ASGI scope, not the context variable, tells that this request has a scope:
        # servers start the task of a pipelined request in the context of the one before.
        await self.app(scope, receive, send)
        request: Scope = scope[_KEY]
        if request.name is UNROUTED and "route" in scope:
            # Middleware in between may hand on a copy of the ASGI scope; then only this one sees the route.
            request.name = request_name(scope, status=request.status)
