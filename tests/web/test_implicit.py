"""``implicit_loading``: lazy responses equal eager ones, and everything else about an application stays."""

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, HTTPException, Request, WebSocket
from fastapi.exceptions import ResponseValidationError
from fastapi.responses import StreamingResponse
from sqlalchemy import select, text
from sqlalchemy.exc import MissingGreenlet, StatementError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import pitstop.sql
from pitstop import Pitstop, count_queries, implicit_loading
from pitstop.errors import SettingsError
from pitstop.events import subscribe
from pitstop.scope import ScopeEnded
from pitstop.sql import Trace
from pitstop.sql.green import loads_here
from tests.sql.journal import COMMENTS, DRIVERS, POSTS, Post, PostOut, eagerly, first_post, journal

REFUSED = (MissingGreenlet, StatementError)
NOTE: contextvars.ContextVar[str] = contextvars.ContextVar("note", default="none")


@pytest.fixture(params=DRIVERS)
async def engine(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[AsyncEngine]:
    """The journal, by each of the drivers."""
    async with journal(database_url, request.param) as engine:
        yield engine


@asynccontextmanager
async def client(app: Any) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://journal") as opened:
        yield opened


async def get(app: Any, path: str) -> httpx.Response:
    async with client(app) as opened:
        return await opened.get(path)


def session_of(engine: AsyncEngine) -> Any:
    async def session() -> AsyncIterator[AsyncSession]:
        async with AsyncSession(engine) as opened:
            yield opened

    return Annotated[AsyncSession, Depends(session)]


def whole(engine: AsyncEngine, cover: Callable[[Any], Any] = lambda endpoint: endpoint) -> FastAPI:
    """The posts, lazily and eagerly, by an application, an included router and a mounted application."""
    app, sub, router = FastAPI(), FastAPI(), APIRouter()
    DB = session_of(engine)

    @cover
    async def lazy(session: DB) -> Any:
        """All posts."""
        return (await session.scalars(select(Post).order_by(Post.id))).all()

    async def eager(session: DB) -> Any:
        return (await session.scalars(select(Post).order_by(Post.id).options(*eagerly()))).all()

    router.get("/lazy", response_model=list[PostOut])(lazy)
    app.include_router(router, prefix="/included")
    app.get("/lazy", response_model=list[PostOut])(lazy)
    app.get("/custom", response_model=list[PostOut], response_class=JSONResponse)(lazy)
    app.get("/eager", response_model=list[PostOut])(eager)
    sub.get("/lazy", response_model=list[PostOut])(lazy)
    app.mount("/mounted", sub)
    return app


async def passed_on(request: Request, call_next: Any) -> Response:
    response: Response = await call_next(request)
    return response


PATHS = ["/lazy", "/custom", "/included/lazy", "/mounted/lazy"]


@pytest.mark.parametrize("form", ["application", "route"])
async def test_the_response_is_the_eager_one(engine: AsyncEngine, form: str) -> None:
    """Wherever the route stands, the lazy response has the bytes of the eager one."""
    app = implicit_loading(whole(engine)) if form == "application" else whole(engine, implicit_loading)
    async with client(app) as opened:
        eager = await opened.get("/eager")
        assert [(await opened.get(path)).content for path in PATHS] == [eager.content] * len(PATHS)
    assert len(eager.json()) == POSTS
    assert len(eager.json()[0]["comments"]) == COMMENTS


async def test_without_it(engine: AsyncEngine) -> None:
    """An application that is not covered fails as ever, beside one that is."""
    whole(engine, implicit_loading)
    with pytest.raises(ResponseValidationError, match="MissingGreenlet"):
        await get(whole(engine), "/lazy")


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


async def test_the_endpoints_body_and_dependencies(engine: AsyncEngine) -> None:
    """What a dependency or the endpoint itself touches loads too, in both forms, decorated twice or not."""
    DB = session_of(engine)

    async def author(session: DB) -> str:
        return (await first_post(session)).author.name

    async def post(name: Annotated[str, Depends(author)], session: DB) -> Any:
        return [name, (await first_post(session)).body]

    covered, decorated = implicit_loading(FastAPI()), FastAPI()
    implicit_loading(covered)
    covered.get("/")(implicit_loading(batch=False)(post))
    decorated.get("/")(implicit_loading(implicit_loading(post)))
    assert (await get(covered, "/")).json() == (await get(decorated, "/")).json() == ["author 2", "body 1"]


async def test_starlette(engine: AsyncEngine) -> None:
    """Applications and endpoints of Starlette alone."""

    async def post(request: Request) -> Response:
        async with AsyncSession(engine) as session:
            return JSONResponse((await first_post(session)).author.name)

    covered = implicit_loading(Starlette(routes=[Route("/", post)]), batch=False)
    decorated = Starlette(routes=[Route("/", implicit_loading(post))])
    assert (await get(covered, "/")).json() == (await get(decorated, "/")).json() == "author 2"


async def test_a_function_of_ones_own(engine: AsyncEngine) -> None:
    """Any async function can be covered: a job, a command."""

    @implicit_loading
    async def job(session: AsyncSession, *, suffix: str) -> str:
        return (await first_post(session)).author.name + suffix

    async with AsyncSession(engine) as session:
        assert await job(session, suffix="!") == "author 2!"


async def test_many_requests_at_once(engine: AsyncEngine) -> None:
    """Twenty at once, each with its own session, answer alike, and leave no connection out."""
    app = implicit_loading(whole(engine))
    async with client(app) as opened:
        answers = await asyncio.gather(*(opened.get(path) for path in PATHS * 5))
    assert {len(each.json()) for each in answers} == {POSTS}
    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]


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


async def test_a_closed_session(engine: AsyncEngine) -> None:
    """A response whose session is closed says so: ``DetachedInstanceError``, as in synchronous code."""
    app = implicit_loading(FastAPI())

    @app.get("/", response_model=PostOut)
    async def post() -> Any:
        async with AsyncSession(engine) as session:
            return await first_post(session)

    with pytest.raises(ResponseValidationError, match="DetachedInstanceError"):
        await get(app, "/")


@pytest.mark.parametrize("form", ["application", "route"])
async def test_the_detector_sees_it(engine: AsyncEngine, tmp_path: Any, form: str) -> None:
    """The N+1 of a lazy response is found, with its relationship and the line of its query."""
    ended: list[ScopeEnded] = []
    unsubscribe = subscribe(ScopeEnded, ended.append)
    app = whole(engine) if form == "application" else whole(engine, implicit_loading(batch=False))
    with Pitstop(app, engine=engine, store=tmp_path):
        if form == "application":
            implicit_loading(app, batch=False)
        await get(app, "/lazy")
    unsubscribe()
    found = {each.relationship: each for each in ended[-1].scope.parts[Trace].n_plus_one}
    assert found["comments"].cure == "selectinload(Post.comments)"
    assert found["comments"].count == POSTS
    location = found["comments"].query_location
    assert location is not None
    assert (location.file, location.function) == (__file__, "lazy")


async def test_the_detector_names_the_line(engine: AsyncEngine) -> None:
    """A lazy load in the endpoint's body is located at its line there, as in synchronous code."""
    app, DB = FastAPI(), session_of(engine)

    @app.get("/")
    @implicit_loading(batch=False)
    async def bodies(session: DB) -> list[str]:
        return [post.body for post in await session.scalars(select(Post))]

    with count_queries(engine) as queries:
        assert len((await get(app, "/")).json()) == POSTS
    (found,) = queries.n_plus_one
    assert found.location is not None
    assert (found.location.file, found.location.function) == (__file__, "bodies")
    assert (found.cure, found.count) == ("undefer(Post.body)", POSTS)


async def test_what_fastapi_reads_of_an_endpoint(engine: AsyncEngine) -> None:
    """Parameters, names and descriptions in the OpenAPI document are those of the endpoint itself."""
    assert whole(engine, implicit_loading).openapi() == whole(engine).openapi()


def test_annotations_that_are_strings() -> None:
    """An endpoint of a module with postponed annotations keeps them, resolved in its own module."""
    source = (
        "from __future__ import annotations\nfrom fastapi import Query\nfrom typing import Annotated\n"
        "Size = Annotated[int, Query(le=9)]\nasync def endpoint(size: Size) -> list[Size]: ..."
    )
    module: dict[str, Any] = {"__name__": "elsewhere"}
    exec(source, module)
    app, covered = FastAPI(), FastAPI()
    app.get("/")(module["endpoint"])
    covered.get("/")(implicit_loading(module["endpoint"]))
    assert covered.openapi() == app.openapi()


async def stream() -> AsyncIterator[int]:
    yield 1


@pytest.mark.parametrize("target", [int, lambda: 1, stream, APIRouter(), "app"])
def test_another_target_is_refused(target: Any) -> None:
    """What cannot be covered is an error that names it."""
    with pytest.raises(SettingsError, match="takes a FastAPI or Starlette application or an async function"):
        implicit_loading(target)


async def test_an_application_that_has_started_is_refused(engine: AsyncEngine) -> None:
    """Too late is an error, not a silence."""
    app = whole(engine)
    await get(app, "/eager")
    with pytest.raises(SettingsError, match="comes too late"):
        implicit_loading(app)


@pytest.mark.skipif(not hasattr(pitstop.sql, "peer_loading"), reason="there is no peer loading to batch with")
@pytest.mark.parametrize("form", ["application", "route"])
async def test_batches(engine: AsyncEngine, form: str) -> None:
    """One statement for each relation of all posts; ``batch=False`` leaves one for each post."""
    app = implicit_loading(whole(engine)) if form == "application" else whole(engine, implicit_loading)
    with count_queries(engine) as queries:
        assert len((await get(app, "/lazy")).json()) == POSTS
    assert queries.count <= 4
    with count_queries(engine) as queries:
        await get(implicit_loading(whole(engine), batch=False), "/lazy")
    assert queries.count > POSTS
