"""``implicit_loading``: lazy responses equal eager ones, and everything else about an application stays."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.exceptions import ResponseValidationError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pitstop import Pitstop, count_queries, implicit_loading
from pitstop.errors import SettingsError
from pitstop.events import subscribe
from pitstop.scope import ScopeEnded
from pitstop.sql import Trace
from tests.sql.journal import COMMENTS, DRIVERS, POSTS, Post, PostOut, first_post, journal
from tests.web import journal_app
from tests.web.journal_app import PATHS, client, get, session_of, whole


@pytest.fixture(params=DRIVERS)
async def engine(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[AsyncEngine]:
    """The journal, by each of the drivers."""
    async with journal(database_url, request.param) as engine:
        yield engine


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
    assert (location.file, location.function) == (journal_app.__file__, "lazy")


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
