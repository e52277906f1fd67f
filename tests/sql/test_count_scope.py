"""The extent of a block: nested blocks, tasks, threads, requests."""

import asyncio
import contextlib
import contextvars
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import Engine, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from pitstop import count_queries
from tests.sql.shelves import Book, Shelf, ask


def test_blocks_nest(engine: Engine) -> None:
    """An outer block counts what inner ones count, and inner ones only their own."""
    with count_queries(engine) as outer:
        ask(engine)
        with count_queries(engine) as inner:
            ask(engine, 2)
            with count_queries() as innermost:
                ask(engine)
        with count_queries(engine) as sibling:
            ask(engine)
    assert (outer.count, inner.count, innermost.count, sibling.count) == (5, 3, 1, 1)


def test_same_place_in_two_blocks(engine: Engine) -> None:
    """Findings of an outer block reach over its inner ones."""
    with count_queries(engine) as outer, Session(engine) as session:
        shelves = session.scalars(select(Shelf)).all()
        for shelf in shelves:
            with count_queries(engine) as inner:
                assert len(shelf.books) == 2
            assert (inner.count, inner.n_plus_one) == (1, [])
    assert [(finding.relationship, finding.count) for finding in outer.n_plus_one] == [("books", 3)]


def test_figures_are_live_and_then_final(engine: Engine) -> None:
    """The figures can be read inside the block, and do not move after it."""
    with count_queries(engine) as queries:
        assert queries.count == 0
        ask(engine)
        assert queries.count == 1
        assert queries.n_plus_one == []
    ask(engine, 3)
    assert queries.count == len(queries.statements) == 1


def test_exception_passes(engine: Engine) -> None:
    """An exception leaves the block as it is, the figures stand, and nothing is counted afterwards."""
    queries = count_queries(engine)

    def work() -> None:
        with queries:
            ask(engine)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    ask(engine)
    assert queries.count == 1


async def test_gathered_tasks_are_inside(async_engine: AsyncEngine) -> None:
    """Tasks started in the block, by gather or a group, belong to it."""

    async def work() -> None:
        async with AsyncSession(async_engine) as session:
            await session.execute(select(Shelf.id))

    with count_queries(async_engine) as queries:
        await asyncio.gather(work(), work())
        async with asyncio.TaskGroup() as group:
            group.create_task(work())
            group.create_task(work())
    assert queries.count == 4


async def test_other_tasks_are_outside(async_engine: AsyncEngine) -> None:
    """Concurrent tasks with a block each count their own statements only."""
    started = asyncio.Barrier(3)

    async def work(times: int) -> int:
        async with AsyncSession(async_engine) as session:
            with count_queries(async_engine) as queries:
                await started.wait()
                for _ in range(times):
                    await session.execute(select(Shelf.id))
                    await asyncio.sleep(0)
            return queries.count

    assert await asyncio.gather(work(1), work(2), work(5)) == [1, 2, 5]


async def test_task_started_before_is_outside(async_engine: AsyncEngine) -> None:
    """A task that was started before the block does not belong to it, unless everything is asked for."""
    begin, done = asyncio.Event(), asyncio.Event()

    async def background() -> None:
        await begin.wait()
        async with AsyncSession(async_engine) as session:
            await session.execute(select(Shelf.id))
        done.set()

    task = asyncio.create_task(background())
    await asyncio.sleep(0)
    with count_queries(async_engine) as queries, count_queries(async_engine, everywhere=True) as everything:
        begin.set()
        await done.wait()
    await task
    assert (queries.count, everything.count) == (0, 1)


def test_threads_started_inside(engine: Engine) -> None:
    """Threads started in the block belong to it: bare, of a pool, and the threads they start."""
    with count_queries(engine) as queries:
        thread = threading.Thread(target=ask, args=(engine,))
        thread.start()
        thread.join()
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda _: ask(engine), range(3)))
        nested = threading.Thread(target=lambda: asyncio.run(asyncio.to_thread(ask, engine)))
        nested.start()
        nested.join()
    assert queries.count == 5


def test_threads_started_before(engine: Engine) -> None:
    """A thread that ran before the block does not belong to it, unless everything is asked for."""
    begin, done = threading.Event(), threading.Event()

    def background() -> None:
        begin.wait(10)
        ask(engine)
        done.set()

    thread = threading.Thread(target=background)
    thread.start()
    with count_queries(engine) as queries, count_queries(engine, everywhere=True) as everything:
        begin.set()
        done.wait(10)
    thread.join()
    assert (queries.count, everything.count) == (0, 1)


def test_threads_with_a_block_each(engine: Engine) -> None:
    """Threads with a block each count their own statements only."""
    together = threading.Barrier(3)

    def work(times: int) -> int:
        with count_queries(engine) as queries:
            together.wait(10)
            ask(engine, times)
            together.wait(10)
        return queries.count

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(work, [1, 2, 5])) == [1, 2, 5]


def test_left_in_another_context(engine: Engine) -> None:
    """A block entered in one context and left in another, as in a yielding dependency, ends cleanly."""
    queries = count_queries(engine)
    context = contextvars.copy_context()
    context.run(queries.__enter__)
    context.run(ask, engine)
    contextvars.copy_context().run(queries.__exit__, None, None, None)
    context.run(ask, engine)
    ask(engine)
    assert queries.count == 1


def _application(engine: Engine, async_engine: AsyncEngine) -> FastAPI:
    app = FastAPI()

    @app.get("/sync")
    def in_the_thread_pool() -> list[int]:
        with Session(engine) as session:
            return [len(shelf.books) for shelf in session.scalars(select(Shelf))]

    @app.get("/async")
    async def on_the_loop() -> int:
        async with AsyncSession(async_engine) as session:
            return len((await session.scalars(select(Shelf))).all())

    return app


def _client(app: FastAPI) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it prefers another client library than the one that is installed
        from fastapi.testclient import TestClient
    return TestClient(app)


def test_requests_of_a_test_client(engine: Engine) -> None:
    """Requests made by a test client belong to the block, opened for each request or before the block."""
    async_engine = create_async_engine(f"sqlite+aiosqlite:///{engine.url.database}")
    app = _application(engine, async_engine)
    with count_queries() as queries:
        assert _client(app).get("/sync").json() == [2, 2, 2]
        assert _client(app).get("/async").json() == 3
    assert queries.count == 5
    with _client(app) as client:
        with count_queries() as opened_before:
            client.get("/sync")
            client.get("/async")
        client.portal.call(async_engine.dispose)
    assert opened_before.count == 5
    assert [finding.relationship for finding in opened_before.n_plus_one] == ["books"]


def _application_of_one(engine: Engine) -> FastAPI:
    app, inner = FastAPI(), FastAPI()

    @app.get("/sync/{number}")
    def in_the_thread_pool(number: int) -> int:
        with Session(engine) as session:
            return len(session.get_one(Shelf, number).books)

    @inner.get("/async/{number}")
    async def on_the_loop(number: int) -> int:
        with Session(engine) as session:
            return len(session.get_one(Shelf, number).books)

    @app.get("/all")
    def all_of_them() -> int:
        with Session(engine) as session:
            return sum(len(shelf.books) for shelf in session.scalars(select(Shelf)))

    app.mount("/inner", inner)
    return app


@pytest.mark.parametrize("path", ["/sync", "/inner/async"])
@pytest.mark.parametrize("is_started", [True, False])
def test_requests_are_judged_each_on_its_own(engine: Engine, path: str, is_started: bool) -> None:
    """Three requests that run the same statement and load the same relationship once each are no loop."""
    client = _client(_application_of_one(engine))
    with contextlib.ExitStack() as stack:
        if is_started:
            stack.enter_context(client)
        queries = stack.enter_context(count_queries())
        assert [client.get(f"{path}/{number}").json() for number in (1, 2, 3)] == [2, 2, 2]
    assert queries.count == 6
    assert queries.n_plus_one == []


def test_an_n_plus_one_of_several_requests_is_one_finding(engine: Engine) -> None:
    """A loop that runs in each of three requests is found once, with what all of them executed."""
    client = _client(_application_of_one(engine))
    with count_queries() as queries:
        for _ in range(3):
            client.get("/all")
    assert queries.count == 12
    assert [(found.relationship, found.count) for found in queries.n_plus_one] == [("books", 9)]


def test_a_loop_over_requests_in_an_endpoint_stays_a_loop(engine: Engine) -> None:
    """What one request does in threads and tasks of its own belongs to that request."""
    app = FastAPI()

    def count(number: int) -> int:
        with Session(engine) as session:
            return len(session.scalars(select(Book).where(Book.shelf_id == number)).all())

    @app.get("/")
    async def everything() -> list[int]:
        return list(await asyncio.gather(*(asyncio.to_thread(count, number) for number in (1, 2, 3))))

    with count_queries() as queries:
        assert _client(app).get("/").json() == [2, 2, 2]
    assert [found.kind for found in queries.n_plus_one] == ["repeated-statement"]


def test_a_block_over_very_many_requests_sees_the_last_ones(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ran once in each of the requests before leaves room for a loop after them."""
    monkeypatch.setattr("pitstop.sql.detector._MAX_GROUPS", 4)
    client = _client(_application_of_one(engine))
    with count_queries(engine) as queries:
        for number in (1, 2, 3, 1, 2, 3):
            client.get(f"/sync/{number}")
        for number in (1, 2, 3):
            with engine.connect() as connection:
                connection.execute(select(Book).where(Book.id == number)).all()
    assert [found.kind for found in queries.n_plus_one] == ["repeated-statement"]
