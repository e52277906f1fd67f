"""A load that is cancelled: by its task, by a time-out around it or inside, under either event loop."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import anyio
import pytest
import uvloop
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from pitstop.sql.green import ImplicitIO
from tests.sql.journal import (
    DRIVERS,
    Post,
    PostOut,
    first_post,
    is_clean,
    journal,
    locked,
    waiting,
)


def implicitly(coroutine: Coroutine[Any, Any, Any]) -> ImplicitIO:
    return ImplicitIO(coroutine, batch=False)


@pytest.fixture(params=DRIVERS)
async def engine(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[AsyncEngine]:
    """The journal, by each of the drivers."""
    async with journal(database_url, request.param) as engine:
        yield engine


async def test_a_cancelled_load(engine: AsyncEngine) -> None:
    """A task that is cancelled while an attribute loads ends there, and its connection is not left busy."""
    seen: list[BaseException] = []

    async def work() -> None:
        async with AsyncSession(engine) as session:
            post = await first_post(session)
            try:
                post.comments  # noqa: B018
            except asyncio.CancelledError as error:
                seen.append(error)
                raise

    async def whole() -> None:
        await implicitly(work())

    async with locked(engine):
        task = asyncio.create_task(whole())
        await waiting(engine)
        task.cancel("enough")
        with pytest.raises(asyncio.CancelledError):
            await task
    assert len(seen) == 1
    assert task.cancelled()
    assert await is_clean(engine)


async def test_a_time_out_around(engine: AsyncEngine) -> None:
    """``wait_for`` ends a load that takes too long."""

    async def work() -> None:
        async with AsyncSession(engine) as session:
            post = await first_post(session)
            post.comments  # noqa: B018

    async def whole() -> None:
        await implicitly(work())

    async with locked(engine):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(whole(), 0.3)
    assert await is_clean(engine)


@pytest.mark.parametrize("limit", ["asyncio", "anyio"])
async def test_a_time_out_inside(engine: AsyncEngine, limit: str) -> None:
    """``asyncio.timeout`` and anyio's cancel scopes inside end a load, and the task goes on."""

    async def limited(post: Post) -> None:
        if limit == "asyncio":
            async with asyncio.timeout(0.2):
                post.comments  # noqa: B018
        else:
            with anyio.fail_after(0.2):
                post.comments  # noqa: B018

    async def work() -> str:
        async with AsyncSession(engine) as session:
            post = await first_post(session)
            with pytest.raises(TimeoutError):
                await limited(post)
            await session.rollback()
            return post.author.name

    async with locked(engine):
        assert await implicitly(work()) == "author 2"
    assert await is_clean(engine)


@pytest.mark.parametrize("swallow", [False, True])
async def test_a_cancellation_that_pydantic_swallows(engine: AsyncEngine, *, swallow: bool) -> None:
    """pydantic makes a validation error of a cancelled load; the task is cancelled all the same.

    Unless the code goes on after it, as it may in any coroutine.
    """

    async def work() -> str:
        async with AsyncSession(engine) as session:
            post = await first_post(session)
            try:
                return PostOut.model_validate(post).title
            except ValidationError:
                if swallow:
                    return "went on"
                raise

    async def whole() -> Any:
        return await implicitly(work())

    async with locked(engine):
        task = asyncio.create_task(whole())
        await waiting(engine)
        task.cancel()
        await asyncio.wait([task])
    assert task.cancelled() is not swallow
    assert await is_clean(engine)


async def test_a_swallowed_time_out(engine: AsyncEngine) -> None:
    """A time-out in the coroutine stays its own affair, however its error is dressed."""

    async def work() -> None:
        async with AsyncSession(engine) as session:
            post = await first_post(session)
            try:
                async with asyncio.timeout(0.2):
                    post.comments  # noqa: B018
            except TimeoutError:
                raise ValueError("too slow") from None

    async with locked(engine):
        with pytest.raises(ValueError, match="too slow"):
            await implicitly(work())
    assert await is_clean(engine)


async def test_a_closed_coroutine() -> None:
    """What is left undone is closed as a coroutine is: its ``finally`` runs."""
    events: list[str] = []

    async def work() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            events.append("finally")

    async def whole() -> None:
        await implicitly(work())

    coroutine = whole()
    coroutine.send(None)
    coroutine.close()
    assert events == ["finally"]


def test_uvloop(database_url: str) -> None:
    """The other event loop drives it the same way, cancellation included."""

    async def work(engine: AsyncEngine) -> str:
        async with AsyncSession(engine) as session:
            post = await first_post(session)
            try:
                async with asyncio.timeout(0.2):
                    post.comments  # noqa: B018
            except TimeoutError:
                await session.rollback()
            return post.author.name

    async def main() -> None:
        async with journal(database_url, "asyncpg") as engine:
            async with locked(engine):
                assert await implicitly(work(engine)) == "author 2"
            assert await is_clean(engine)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
