"""Under ``implicit_loading`` all else of an application stays: tasks, streams, errors, cancellation."""

import asyncio
import contextvars
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi import BackgroundTasks, FastAPI, HTTPException, Request, WebSocket
from fastapi.responses import StreamingResponse
from sqlalchemy import text
from sqlalchemy.exc import MissingGreenlet, StatementError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import JSONResponse, Response

from pitstop import implicit_loading
from pitstop.sql.green import loads_here
from tests.sql.journal import DRIVERS, POSTS, first_post, journal
from tests.web.journal_app import PATHS, client, get, whole

REFUSED = (MissingGreenlet, StatementError)
NOTE: contextvars.ContextVar[str] = contextvars.ContextVar("note", default="none")


@pytest.fixture(params=DRIVERS)
async def engine(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[AsyncEngine]:
    """The journal, by each of the drivers."""
    async with journal(database_url, request.param) as engine:
        yield engine


async def passed_on(request: Request, call_next: Any) -> Response:
    response: Response = await call_next(request)
    return response


async def refused(session: AsyncSession) -> None:
    post = await first_post(session)
    with pytest.raises(REFUSED, match="greenlet_spawn has not been called"):
        post.author  # noqa: B018


@pytest.mark.parametrize("form", ["application", "route"])
async def test_after_the_first_byte(engine: AsyncEngine, form: str) -> None:
    """Streams and background tasks run as without it: in time, and loading nothing."""
    app, events = FastAPI(), list[str]()

    async def lines() -> AsyncIterator[str]:
        for number in range(2):
            async with AsyncSession(engine) as session:
                await refused(session)
            events.append(f"line {number}")
            yield f"{number}\n"

    async def later() -> None:
        async with AsyncSession(engine) as session:
            await refused(session)
        events.append("background")

    async def stream(tasks: BackgroundTasks) -> StreamingResponse:
        tasks.add_task(later)
        events.append("endpoint")
        return StreamingResponse(lines(), background=tasks)

    app.get("/stream")(implicit_loading(stream) if form == "route" else stream)
    if form == "application":
        implicit_loading(app)
    assert (await get(app, "/stream")).text == "0\n1\n"
    assert events == ["endpoint", "line 0", "line 1", "background"]


async def test_what_is_not_a_request_in_a_task(engine: AsyncEngine) -> None:
    """WebSockets, plain endpoints and their threads, and the lifespan are as without it."""
    seen: dict[str, bool] = {}

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        seen["lifespan"] = loads_here()
        yield

    app = implicit_loading(FastAPI(lifespan=lifespan))

    @app.get("/plain")
    def plain() -> int:
        seen["plain"] = loads_here()
        return 7

    @app.websocket("/socket")
    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        seen["socket"] = loads_here()
        await websocket.send_text(await websocket.receive_text())
        await websocket.close()

    assert (await get(app, "/plain")).json() == 7
    sent = await speak(
        app, {"type": "websocket", "path": "/socket"}, ["websocket.connect", "websocket.receive"]
    )
    assert [each["type"] for each in sent] == ["websocket.accept", "websocket.send", "websocket.close"]
    await speak(app, {"type": "lifespan"}, ["lifespan.startup", "lifespan.shutdown"])
    assert seen == {"plain": False, "socket": False, "lifespan": False}


async def speak(app: Any, scope: dict[str, Any], kinds: list[str]) -> list[Any]:
    """Hand an application these messages, and give back what it sends."""
    messages, sent = [{"type": kind, "text": "hi"} for kind in kinds], []

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    await app({"headers": [], "query_string": b"", "app": app, **scope}, receive, send)
    return sent


async def test_context_variables_and_errors(engine: AsyncEngine) -> None:
    """Middlewares and endpoint see each other's context variables, and handlers get the endpoint's errors."""
    app = FastAPI()
    seen: list[str] = []

    class Noting:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, *arguments: Any) -> None:
            NOTE.set("middleware")
            await self.app(*arguments)
            seen.append(NOTE.get())

    @app.get("/{kind}")
    async def endpoint(kind: str) -> str:
        before = NOTE.get()
        NOTE.set("endpoint")
        if kind == "http":
            raise HTTPException(418)
        if kind == "value":
            raise ValueError(kind)
        return before

    app.add_middleware(Noting)
    implicit_loading(app)
    app.add_exception_handler(ValueError, lambda request, error: JSONResponse(str(error), 409))
    assert (await get(app, "/fine")).json() == "middleware"
    assert (await get(app, "/http")).status_code == 418
    assert ((answer := await get(app, "/value")).status_code, answer.json()) == (409, "value")
    assert seen == ["endpoint"] * 3


@pytest.mark.parametrize("form", ["application", "route"])
async def test_a_cancelled_request(engine: AsyncEngine, form: str) -> None:
    """A request that is cancelled while its response loads is cancelled, and its connection is free again."""
    app = implicit_loading(whole(engine)) if form == "application" else whole(engine, implicit_loading)
    async with engine.connect() as connection:
        await connection.execute(text("LOCK TABLE journal_comment IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(get(app, "/lazy"), 0.5)
        task = asyncio.create_task(get(app, "/lazy"))
        await asyncio.sleep(0.5)
        task.cancel()
        await asyncio.wait([task])
    assert task.cancelled()
    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    assert len((await get(app, "/lazy")).json()) == POSTS


@pytest.mark.parametrize("form", ["before", "after", "route"])
async def test_below_a_middleware_with_its_own_task(engine: AsyncEngine, form: str) -> None:
    """``BaseHTTPMiddleware`` starts a task: it may come before or after, and above a decorated route."""
    app = whole(engine, implicit_loading) if form == "route" else whole(engine)
    for step in {"before": "ma", "after": "am", "route": "m"}[form]:
        if step == "m":
            app.add_middleware(BaseHTTPMiddleware, dispatch=passed_on)
        else:
            implicit_loading(app)
    for path in PATHS:
        assert len((await get(app, path)).json()) == POSTS


async def test_many_requests_at_once(engine: AsyncEngine) -> None:
    """Twenty at once, each with its own session, answer alike, and leave no connection out."""
    app = implicit_loading(whole(engine))
    async with client(app) as opened:
        answers = await asyncio.gather(*(opened.get(path) for path in PATHS * 5))
    assert {len(each.json()) for each in answers} == {POSTS}
    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]
