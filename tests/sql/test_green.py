"""Implicit loading: attributes load below a coroutine, and nothing else about the coroutine is different."""

import asyncio
import contextvars
import gc
import traceback
import weakref
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import anyio
import pytest
from greenlet import greenlet
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, MissingGreenlet, StatementError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm.exc import DetachedInstanceError
from sqlalchemy.util import await_only, greenlet_spawn

from pitstop.sql.green import ImplicitIO, loads_here
from tests.sql.journal import (
    COMMENTS,
    DRIVERS,
    Post,
    first_post,
    is_clean,
    journal,
    locked,
)

# psycopg's adapter dresses the one in the other.
REFUSED = (MissingGreenlet, StatementError)

NOTE: contextvars.ContextVar[str] = contextvars.ContextVar("note", default="none")


def implicitly(coroutine: Coroutine[Any, Any, Any]) -> ImplicitIO:
    return ImplicitIO(coroutine, batch=False)


@pytest.fixture(params=DRIVERS)
async def engine(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[AsyncEngine]:
    """The journal, by each of the drivers."""
    async with journal(database_url, request.param) as engine:
        yield engine


async def test_relations_and_columns_load(engine: AsyncEngine) -> None:
    """A relationship, a deferred column and an expired one load when they are touched."""

    async def work() -> tuple[str, int, str, str]:
        async with AsyncSession(engine) as session:
            post = await first_post(session)
            seen = post.author.name, len(post.comments), post.body
            session.expire(post)
            return *seen, post.title

    assert await implicitly(work()) == ("author 2", COMMENTS, "body 1", "post 1")


async def test_without_it_nothing_loads(engine: AsyncEngine) -> None:
    """Around it, and after ``stop``, SQLAlchemy raises as ever."""

    async def work() -> None:
        async with AsyncSession(engine) as session:
            post = await first_post(session)
            assert post.author.name
            assert loads_here()
            io.stop()
            assert not loads_here()
            with pytest.raises(REFUSED, match="greenlet_spawn has not been called"):
                post.comments  # noqa: B018
            assert await post_count(session)

    async def post_count(session: AsyncSession) -> int:
        return len((await session.scalars(select(Post))).all())

    io = implicitly(work())
    await io
    assert not loads_here()


async def test_a_closed_session(engine: AsyncEngine) -> None:
    """An object without a session raises what it raises in synchronous code."""

    async def work() -> None:
        async with AsyncSession(engine) as session:
            post = await first_post(session)
        with pytest.raises(DetachedInstanceError):
            post.author  # noqa: B018

    await implicitly(work())


async def test_twenty_tasks(engine: AsyncEngine) -> None:
    """Twenty at once, each on its own session, do not get into each other's way."""

    async def work(number: int) -> tuple[int, str, int]:
        async with AsyncSession(engine) as session:
            post = await session.get_one(Post, number % 12 + 1)
            await asyncio.sleep(0)
            return post.id, post.author.name, len(post.comments)

    async def task(number: int) -> Any:
        return await implicitly(work(number))

    found = await asyncio.gather(*(task(number) for number in range(20)))
    assert found == [(n % 12 + 1, f"author {(n % 12 + 1) % 4 + 1}", COMMENTS) for n in range(20)]


async def test_an_exception_passes() -> None:
    """The very exception comes out, with the lines it came through and without a context of ours."""
    failure = ValueError("no")

    async def inner() -> None:
        await asyncio.sleep(0)
        raise failure

    with pytest.raises(ValueError, match="no") as caught:
        await implicitly(inner())
    assert caught.value is failure
    assert caught.value.__context__ is None
    assert "inner" in [frame.name for frame in traceback.extract_tb(failure.__traceback__)]


async def test_an_awaited_exception_passes() -> None:
    """What an awaited future raises can be handled, and leaves no context on what is raised later."""

    async def work() -> None:
        future = asyncio.get_running_loop().create_future()
        future.set_exception(KeyError("gone"))
        with pytest.raises(KeyError) as caught:
            await future
        assert "work" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
        raise ValueError("later")

    with pytest.raises(ValueError, match="later") as caught:
        await implicitly(work())
    assert caught.value.__context__ is None


async def test_an_exception_is_freed() -> None:
    """An exception is not kept alive by a cycle through the driving frames."""

    class Failure(Exception):
        pass

    async def failing() -> None:
        raise Failure

    async def work() -> None:
        await asyncio.create_task(failing())  # not kept: the task keeps the exception

    async def once() -> "weakref.ref[Failure]":
        try:
            await implicitly(work())
        except Failure as error:
            return weakref.ref(error)
        raise AssertionError

    gc.collect()
    gc.disable()
    try:
        ref = await once()
        await asyncio.sleep(0)
        assert ref() is None
    finally:
        gc.enable()


async def test_a_failing_load(engine: AsyncEngine) -> None:
    """A load that fails in the database raises where the attribute is touched; the session can go on."""

    async def work() -> str:
        async with AsyncSession(engine) as session:
            post = await first_post(session)
            await session.execute(text("SET LOCAL lock_timeout = '20ms'"))
            with pytest.raises(DBAPIError, match="lock timeout"):
                post.comments  # noqa: B018
            await session.rollback()
            return post.author.name

    async with locked(engine):
        assert await implicitly(work()) == "author 2"


async def test_the_task_and_its_context() -> None:
    """It is the same task and the same context: variables set inside are seen outside, and the reverse."""
    outside = asyncio.current_task()
    NOTE.set("outside")

    async def work() -> None:
        assert asyncio.current_task() is outside
        assert NOTE.get() == "outside"
        await asyncio.sleep(0)
        NOTE.set("inside")

    await implicitly(work())
    assert NOTE.get() == "inside"


async def test_a_load_in_another_context(engine: AsyncEngine) -> None:
    """Code that runs in a copied context loads, and stays in that context."""

    async def work() -> None:
        async with AsyncSession(engine) as session:
            post = await first_post(session)

            def render() -> str:
                NOTE.set("copied")
                name = post.author.name
                assert NOTE.get() == "copied"
                return name

            NOTE.set("own")
            assert contextvars.copy_context().run(render) == "author 2"
            assert NOTE.get() == "own"

    await implicitly(work())


async def test_task_groups(engine: AsyncEngine) -> None:
    """Task groups inside work; their tasks are not covered and say so as ever."""

    async def child(post: Post) -> None:
        with pytest.raises(REFUSED, match="greenlet_spawn has not been called"):
            post.comments  # noqa: B018
        await asyncio.sleep(0)

    async def work() -> str:
        async with AsyncSession(engine) as session:
            post = await first_post(session)
            async with anyio.create_task_group() as group:
                group.start_soon(child, post)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(child(post))
            return post.author.name

    assert await implicitly(work()) == "author 2"


async def test_an_eager_task(engine: AsyncEngine) -> None:
    """A task whose first step runs inside, as eager tasks do from Python 3.12 on, is not covered either."""

    async def work() -> str:
        async with AsyncSession(engine) as session:
            post = await first_post(session)
            loop, outer = asyncio.get_running_loop(), asyncio.current_task()
            assert outer is not None
            other = asyncio.create_task(asyncio.sleep(0))
            asyncio.tasks._leave_task(loop, outer)
            asyncio.tasks._enter_task(loop, other)
            with pytest.raises(REFUSED, match="not covered"):
                post.comments  # noqa: B018
            asyncio.tasks._leave_task(loop, other)
            asyncio.tasks._enter_task(loop, outer)
            await other
            return post.author.name

    assert await implicitly(work()) == "author 2"


async def test_nested_forms(engine: AsyncEngine) -> None:
    """``run_sync``, ``greenlet_spawn``, ``await_only`` and implicit loading itself work inside."""

    async def inner(post: Post) -> int:
        await asyncio.sleep(0)
        return len(post.comments)

    async def work() -> tuple[str, str, int, str]:
        async with AsyncSession(engine) as session:
            post = await first_post(session)
            author = await session.run_sync(lambda _: post.author.name)
            body = await greenlet_spawn(lambda: post.body)
            comments = await implicitly(inner(post))
            session.expire(post)
            return author, body, comments, await_only(asyncio.sleep(0, post.title))

    assert await implicitly(work()) == ("author 2", "body 1", COMMENTS, "post 1")


async def test_other_greenlets(engine: AsyncEngine) -> None:
    """Greenlets of other libraries inside switch among themselves; a load in one of them raises as ever."""

    async def work() -> str:
        async with AsyncSession(engine) as session:
            post = await first_post(session)

            def other() -> str:
                with pytest.raises(REFUSED, match="greenlet_spawn has not been called"):
                    post.comments  # noqa: B018
                return "other"

            assert greenlet(other).switch() == "other"
            return post.author.name

    assert await implicitly(work()) == "author 2"


async def test_generators(engine: AsyncEngine) -> None:
    """An async generator begun inside may be finished outside, as dependencies are."""

    async def opened() -> AsyncIterator[AsyncSession]:
        async with AsyncSession(engine) as session:
            yield session

    generator = opened()

    async def work() -> str:
        return (await first_post(await anext(generator))).author.name

    assert await implicitly(work()) == "author 2"
    with pytest.raises(StopAsyncIteration):
        await anext(generator)
    assert await is_clean(engine)
