"""The middleware: one scope a request, named by its route, whatever happens inside."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, BackgroundTasks, FastAPI
from fastapi.responses import StreamingResponse
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Host, Mount, Route
from starlette.staticfiles import StaticFiles

from pitstop.events import subscribe
from pitstop.scope import Scope, ScopeEnded, current_scope
from pitstop.web import ObserveMiddleware

Ended = list[ScopeEnded]
ASGIScope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@pytest.fixture
def ended() -> Iterator[Ended]:
    """Scopes that ended during the test."""
    seen: Ended = []
    unsubscribe = subscribe(ScopeEnded, seen.append)
    yield seen
    unsubscribe()


async def request(app: Any, path: str, *, method: str = "GET", root: str = "") -> httpx.Response:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False, root_path=root)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        return await client.request(method, path)


async def name_of(app: Any, path: str, ended: Ended, *, method: str = "GET") -> str:
    await request(ObserveMiddleware(app), path, method=method)
    return ended[-1].scope.name


def whole(tmp_path: Any) -> FastAPI:
    """An application with every way to declare a route."""

    async def plain(request: Request) -> Response:
        return PlainTextResponse("plain")

    router, inner = APIRouter(prefix="/v1"), APIRouter()

    @inner.get("/posts/{id}")
    async def post(id: int) -> int:
        return id

    router.add_route("/plain/{key}", plain)
    router.include_router(inner, prefix="/inner")
    sub = FastAPI()
    sub.include_router(inner, prefix="/deep")
    sub.get("/direct/{id}")(post)
    app = FastAPI()
    app.include_router(router, prefix="/api")
    app.get("/posts/{id}")(post)
    app.mount("/sub", sub)
    app.mount("/tenants/{tenant}", Starlette(routes=[Route("/users/{id:int}", plain)]))
    app.mount("/files", StaticFiles(directory=tmp_path))
    return app


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/posts/7", "GET /posts/{id}"),
        ("/posts/not-a-number", "GET /posts/{id}"),
        ("/api/v1/inner/posts/7", "GET /api/v1/inner/posts/{id}"),
        ("/api/plain/x", "GET /api/plain/{key}"),
        ("/sub/direct/7", "GET /sub/direct/{id}"),
        ("/sub/deep/posts/7", "GET /sub/deep/posts/{id}"),
        ("/tenants/acme/users/7", "GET /tenants/{tenant}/users/{id}"),
        ("/files/logo.svg", "GET /files/{path}"),
        ("/docs", "GET /docs"),
        ("/posts/7/", "GET (no route)"),
        ("/wp-login.php", "GET (no route)"),
    ],
)
async def test_fastapi_requests_are_named_by_template(
    path: str, name: str, tmp_path: Any, ended: Ended
) -> None:
    """Routers, nested routers, mounts, static files and redirects each have the full template as a name."""
    assert await name_of(whole(tmp_path), path, ended) == name


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/outer/acme/users/7", "GET /outer/{tenant}/users/{id}"),
        ("/files/a/b.css", "GET /files/{path}"),
        ("/nothing", "GET (no route)"),
    ],
)
async def test_starlette_requests_are_named_by_template(
    path: str, name: str, tmp_path: Any, ended: Ended
) -> None:
    """Plain Starlette: mounts with parameters and mounts of foreign applications."""

    async def users(request: Request) -> Response:
        return PlainTextResponse("x")

    app = Starlette(
        routes=[
            Mount("/outer/{tenant}", routes=[Route("/users/{id:int}", users)]),
            Mount("/files", StaticFiles(directory=tmp_path)),
            Host("api.example.org", Starlette(routes=[Route("/users/{id}", users)])),
        ]
    )
    assert await name_of(app, path, ended) == name


async def test_root_path_of_a_proxy_is_no_part_of_the_name(ended: Ended) -> None:
    """An application behind a proxy that takes off /shop is named by its own routes."""
    sub = FastAPI()
    sub.get("/users/{id}")(lambda id: id)
    app = FastAPI()
    app.mount("/sub", sub)
    await request(ObserveMiddleware(app), "/shop/sub/users/7", root="/shop")
    assert ended[0].scope.name == "GET /sub/users/{id}"


async def test_methods_are_told_apart_and_unknown_ones_are_not(ended: Ended) -> None:
    """A wrong method is named by the route it missed; an invented method cannot make new names."""
    app = FastAPI()
    app.get("/posts/{id}")(lambda id: id)
    assert await name_of(app, "/posts/7", ended, method="DELETE") == "DELETE /posts/{id}"
    assert ended[-1].scope.status == 405
    assert await name_of(app, "/posts/7", ended, method="BREW") == "OTHER /posts/{id}"


async def test_a_request_answered_before_routing_is_named_all_the_same(ended: Ended) -> None:
    """A middleware that refuses everybody hides the route from nobody."""

    class Refuse:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
            await PlainTextResponse("no", 401)(scope, receive, send)

    app = FastAPI()
    app.get("/posts/{id}")(lambda id: id)
    app.add_middleware(Refuse)
    assert await name_of(app, "/posts/7", ended) == "GET /posts/{id}"
    assert ended[-1].scope.status == 401


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/users/17/orders/3f2b8c1e-9d47-4a39-8e55-0c1d2e3f4a5b", "GET /users/{id}/orders/{id}"),
        ("/blobs/9f86d081884c7d659a2feaa0c55ad015", "GET /blobs/{id}"),
        ("/", "GET /"),
        ("/v2/things", "GET /v2/things"),
    ],
)
async def test_other_frameworks_are_named_by_folded_path(path: str, name: str, ended: Ended) -> None:
    """Where no router is known, segments made from data become {id}."""
    assert await name_of(PlainTextResponse("ok"), path, ended) == name


async def test_unknown_paths_of_other_frameworks_share_a_name(ended: Ended) -> None:
    """A scanner of a raw ASGI application makes one name, not one for each path."""
    assert await name_of(PlainTextResponse("no", 404), "/admin.php", ended) == "GET (no route)"


async def test_copies_of_the_asgi_scope_do_not_hide_the_route(ended: Ended) -> None:
    """Between an outer and an inner middleware the scope is copied: still one scope, named by the route."""

    class Copy:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
            await self.app(dict(scope), receive, send)

    app = FastAPI()
    app.get("/posts/{id}")(lambda id: id)
    await request(ObserveMiddleware(Copy(ObserveMiddleware(app))), "/posts/7")
    assert [each.scope.name for each in ended] == ["GET /posts/{id}"]


async def test_an_exception_passes_and_marks_the_scope(ended: Ended) -> None:
    """The application's own exception object comes out; the scope has failed."""
    error = ZeroDivisionError("mine")

    async def app(scope: ASGIScope, receive: Receive, send: Send) -> None:
        raise error

    with pytest.raises(ZeroDivisionError) as raised:
        await ObserveMiddleware(app)({"type": "http", "method": "GET", "path": "/"}, _receive, _send)
    assert raised.value is error
    assert ended[0].scope.failed
    assert current_scope() is None


async def test_a_cancelled_request_ends_its_scope_without_failing(ended: Ended) -> None:
    """A client that goes away cancels the request: the cancellation passes, nothing has failed."""

    async def app(scope: ASGIScope, receive: Receive, send: Send) -> None:
        await asyncio.Event().wait()

    task = asyncio.create_task(
        ObserveMiddleware(app)({"type": "http", "method": "GET", "path": "/"}, _receive, _send)  # type: ignore[arg-type]
    )
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [(each.scope.failed, each.scope.status) for each in ended] == [(False, None)]


async def test_streams_and_background_tasks_belong_to_the_scope(ended: Ended) -> None:
    """The scope lives until the last chunk is sent and the background task is done."""
    seen: list[Scope | None] = []
    app = FastAPI()

    @app.get("/stream")
    async def stream(tasks: BackgroundTasks) -> StreamingResponse:
        async def chunks() -> AsyncIterator[str]:
            for _ in range(3):
                seen.append(current_scope())
                assert not ended
                yield "x"

        tasks.add_task(lambda: seen.append(current_scope()))
        return StreamingResponse(chunks(), background=tasks)

    await request(ObserveMiddleware(app), "/stream")
    assert len(seen) == 4
    assert {id(each) for each in seen} == {id(ended[0].scope)}


async def test_threads_of_sync_endpoints_and_foreign_middleware_see_the_scope(ended: Ended) -> None:
    """A sync endpoint below a BaseHTTPMiddleware runs in a thread, and in the scope of its request."""
    seen: list[Scope | None] = []
    app = FastAPI()
    app.get("/sync")(lambda: seen.append(current_scope()))

    async def around(request: Request, call_next: Any) -> Response:
        return await call_next(request)  # type: ignore[no-any-return]

    app.add_middleware(BaseHTTPMiddleware, dispatch=around)
    await request(ObserveMiddleware(app), "/sync")
    assert seen == [ended[0].scope]
    assert ended[0].scope.name == "GET /sync"


async def test_concurrent_requests_have_scopes_of_their_own(ended: Ended) -> None:
    """Twenty requests at once end twenty scopes, each seen by its own endpoint only."""
    app = FastAPI()

    @app.get("/wait/{id}")
    async def wait(id: int) -> bool:
        before = current_scope()
        await asyncio.sleep(0.01)
        return before is current_scope()

    responses = await asyncio.gather(*(request(ObserveMiddleware(app), f"/wait/{id}") for id in range(20)))
    assert all(response.json() is True for response in responses)
    assert len({id(each.scope) for each in ended}) == 20


async def test_what_is_not_http_passes_untouched(ended: Ended) -> None:
    """Lifespan and WebSocket connections open no scope and keep their messages."""
    seen: list[str] = []

    async def app(scope: ASGIScope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])
        assert send is _send

    for kind in ("lifespan", "websocket"):
        await ObserveMiddleware(app)({"type": kind, "path": "/"}, _receive, _send)
    assert seen == ["lifespan", "websocket"]
    assert ended == []


async def _receive() -> MutableMapping[str, Any]:
    return {"type": "http.request", "body": b""}


async def _send(message: MutableMapping[str, Any]) -> None:
    pass
