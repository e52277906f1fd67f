"""What puts an application, a function or a FastAPI route into a greenlet in which attributes load."""

import functools
import inspect
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from pitstop.errors import SettingsError
from pitstop.sql.green import ImplicitIO, loads_here
from pitstop.web.middleware import ASGIApp, Message, Receive, Send
from pitstop.web.route import ASGIScope

if TYPE_CHECKING:
    from fastapi import Request, Response
    from fastapi.routing import APIRoute

__all__ = ["cover_application", "cover_function"]

_MARK = "__pitstop_implicit_loading__"


def cover_application(app: Any, *, batch: bool) -> Any:
    """Cover every HTTP request of a Starlette or FastAPI application.

    Raises:
        SettingsError: it has served already.
    """
    from starlette.middleware import Middleware

    if app.middleware_stack is not None:
        raise SettingsError(
            "implicit_loading(app) comes too late: the application has started and its middleware is fixed; "
            "call it right after the application is made"
        )
    # The innermost place, kept whatever is added later: BaseHTTPMiddleware runs what is below it in a task
    # of its own, which a greenlet above it would not cover.
    app.user_middleware.append(Middleware(_CoverMiddleware, batch=batch))
    return app


class _CoverMiddleware:
    """Runs each HTTP request in a greenlet in which attributes load, until its response begins."""

    def __init__(self, app: ASGIApp, *, batch: bool) -> None:
        self._app = app
        self._batch = batch

    async def __call__(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or loads_here():
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            work.stop()
            await send(message)

        work = ImplicitIO(self._handle(scope, receive, sending), batch=self._batch)
        await work

    async def _handle(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        await self._app(
            scope, receive, send
        )  # an awaitable of any kind, where an ImplicitIO wants a coroutine


def cover_function(function: Callable[..., Any], *, batch: bool) -> Callable[..., Any]:
    """Cover an async function; if it becomes the endpoint of a FastAPI route, all of the route's handling."""
    _cover_marked_routes()

    @functools.wraps(function)
    async def covered(*args: Any, **kwargs: Any) -> Any:
        if loads_here():
            return await function(*args, **kwargs)
        return await ImplicitIO(function(*args, **kwargs), batch=batch)

    setattr(covered, _MARK, batch)
    _resolve_annotations(covered)
    return covered


def _resolve_annotations(function: Any) -> None:
    """FastAPI 0.115 looks up string annotations among the globals of the wrapper, which are ours."""
    try:
        function.__signature__ = inspect.signature(function, eval_str=True)
    except NameError:  # a name for type checkers only; FastAPI would not find it either
        return


@functools.cache
def _cover_marked_routes() -> None:
    """FastAPI serialises after the endpoint has returned: cover all that the handler of its route does.

    ``get_route_handler`` is where FastAPI lets a class of routes wrap the handler. An endpoint cannot choose
    the class of its route, so the method is wrapped here, and does its part for marked endpoints only.
    """
    from fastapi.routing import APIRoute

    inner = APIRoute.get_route_handler

    @functools.wraps(inner)
    def get_route_handler(self: "APIRoute") -> "Callable[[Request], Coroutine[Any, Any, Response]]":
        handler = inner(self)
        batch: bool | None = getattr(self.endpoint, _MARK, None)
        if batch is None:
            return handler

        async def covered(request: "Request") -> "Response":
            response: Response = await ImplicitIO(handler(request), batch=batch)
            return response

        return covered

    APIRoute.get_route_handler = get_route_handler  # type: ignore[method-assign]
