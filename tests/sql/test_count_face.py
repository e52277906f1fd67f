"""The query counter from outside: what a block counts, what it says of a statement, what it leaves behind."""

import asyncio
import contextvars
import gc
import inspect
import subprocess
import sys
import textwrap
import threading
import warnings
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import URL, Engine, ForeignKey, create_engine, event, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    mapped_column,
    relationship,
    scoped_session,
    sessionmaker,
)

from pitstop import PitstopError, count_queries


class Base(DeclarativeBase):
    """The registry of these tests."""


class Shelf(Base):
    """Three of them."""

    __tablename__ = "count_shelf"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    books: Mapped[list["Book"]] = relationship()


class Book(Base):
    """Two on each shelf."""

    __tablename__ = "count_book"
    id: Mapped[int] = mapped_column(primary_key=True)
    shelf_id: Mapped[int] = mapped_column(ForeignKey("count_shelf.id"))


class Slip(Base):
    """None of them yet."""

    __tablename__ = "count_slip"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


def _fill(engine: Engine) -> None:
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(insert(Shelf), [{"id": n, "name": f"shelf {n}"} for n in (1, 2, 3)])
        connection.execute(insert(Book), [{"id": n, "shelf_id": (n + 1) // 2} for n in range(1, 7)])


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A filled SQLite file."""
    engine = create_engine(f"sqlite:///{tmp_path / 'one.sqlite3'}")
    _fill(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def other_engine(tmp_path: Path) -> Iterator[Engine]:
    """Another one."""
    engine = create_engine(f"sqlite:///{tmp_path / 'two.sqlite3'}")
    _fill(engine)
    yield engine
    engine.dispose()


@pytest.fixture
async def async_engine(engine: Engine) -> AsyncIterator[AsyncEngine]:
    """The first file, asynchronously."""
    outer = create_async_engine(f"sqlite+aiosqlite:///{engine.url.database}")
    yield outer
    await outer.dispose()


@pytest.fixture
def postgresql(sync_database_url: str) -> Iterator[Engine]:
    """A filled PostgreSQL database."""
    engine = create_engine(sync_database_url)
    _fill(engine)
    yield engine
    engine.dispose()


@pytest.fixture
async def async_postgresql(postgresql: Engine, database_url: str) -> AsyncIterator[AsyncEngine]:
    """The same, by asyncpg."""
    outer = create_async_engine(database_url)
    yield outer
    await outer.dispose()


def ask(engine: Engine, times: int = 1) -> None:
    """Execute a statement, so many times."""
    with engine.connect() as connection:
        for _ in range(times):
            connection.execute(select(Shelf.id)).all()


def here() -> tuple[str, int, str]:
    """The caller's file, line and function."""
    frame = inspect.currentframe()
    assert isinstance(frame, FrameType)
    assert frame.f_back is not None
    caller = frame.f_back
    return caller.f_code.co_filename, caller.f_lineno, caller.f_code.co_name


def test_one_core_statement(engine: Engine) -> None:
    """A statement is described by its text, fingerprint, duration, rows and the user's line."""
    with count_queries(engine) as queries, engine.connect() as connection:
        connection.execute(select(Shelf.id).order_by(Shelf.id)).all(); line = here()  # noqa: E702  # fmt: skip
    (statement,) = queries.statements
    assert queries.count == 1
    assert "SELECT count_shelf.id" in statement.text
    assert isinstance(statement.fingerprint, str)
    assert statement.fingerprint
    assert statement.ms > 0
    assert statement.rows in {3, -1}
    assert tuple(statement.location) == line


def test_total_is_the_sum(engine: Engine) -> None:
    """The total is the sum of the statements' durations, in milliseconds."""
    with count_queries(engine) as queries:
        ask(engine, 4)
    assert queries.count == 4
    assert queries.total_ms == pytest.approx(sum(statement.ms for statement in queries.statements))
    assert queries.total_ms > 0


def test_rows_on_postgresql(postgresql: Engine) -> None:
    """The rows fetched are known on PostgreSQL, by the ORM and by Core, and of an empty result."""
    with count_queries(postgresql) as queries, Session(postgresql) as session:
        session.scalars(select(Book)).all()
        session.execute(select(Shelf.id)).all()
        session.execute(select(Shelf.id).where(Shelf.id == 99)).all()
    assert [statement.rows for statement in queries.statements] == [6, 3, 0]


async def test_rows_on_asyncpg(async_postgresql: AsyncEngine) -> None:
    """The rows fetched are known, or said to be unknown, with asyncpg."""
    with count_queries(async_postgresql) as queries:
        async with AsyncSession(async_postgresql) as session:
            (await session.scalars(select(Book))).all()
    assert queries.statements[-1].rows in {6, -1}


def test_the_first_connection_asks_nothing_that_counts(sync_database_url: str) -> None:
    """What a dialect asks on an engine's first connection is not the user's statement."""
    engine = create_engine(sync_database_url)
    with count_queries(engine) as queries, count_queries() as anywhere, engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    engine.dispose()
    assert (queries.count, anywhere.count) == (1, 1)


async def test_the_first_asyncpg_connection_asks_nothing_that_counts(database_url: str) -> None:
    """What asyncpg's dialect asks on the first connection is not the user's statement."""
    engine = create_async_engine(database_url)
    with count_queries(engine) as queries:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
    await engine.dispose()
    assert queries.count == 1


def test_transactions_and_pings_are_nothing(postgresql: Engine) -> None:
    """BEGIN, COMMIT, ROLLBACK and the pool's pre-ping are not counted."""
    engine = create_engine(postgresql.url, pool_pre_ping=True)
    engine.connect().close()  # a dialect's first connection asks questions of its own
    with count_queries(engine) as queries:
        for _ in range(3):
            with engine.begin() as connection:
                connection.execute(text("SELECT 1"))
        with engine.connect() as connection:
            connection.rollback()
    engine.dispose()
    assert queries.count == 3


def test_executemany_is_one(engine: Engine) -> None:
    """One executemany is one statement, however many parameter sets it has."""
    with count_queries(engine) as queries, engine.begin() as connection:
        connection.execute(
            update(Shelf.__table__).values(name="x"),  # type: ignore[arg-type]
            [{"name": f"name {number}"} for number in range(500)],
        )
    assert queries.count == 1
    assert queries.n_plus_one == []


def test_huge_executemany(postgresql: Engine) -> None:
    """Twenty thousand parameter sets are one statement, and no finding."""
    with count_queries(postgresql) as queries, postgresql.begin() as connection:
        connection.execute(insert(Book), [{"id": number, "shelf_id": 1} for number in range(100, 20_100)])
    assert queries.count == 1
    assert queries.n_plus_one == []


def test_insertmanyvalues_counts_its_batches(postgresql: Engine) -> None:
    """An ORM flush of many rows counts one for each batch that the driver executes."""
    seen: list[str] = []
    event.listen(postgresql, "before_cursor_execute", lambda c, cur, statement, *rest: seen.append(statement))
    with count_queries(postgresql) as queries, Session(postgresql) as session:
        session.add_all([Slip(name=f"new {number}") for number in range(2500)])
        session.flush()
        session.rollback()
    assert queries.count == len(seen) > 1
    assert queries.n_plus_one == []


def test_huge_parameter_lists(engine: Engine) -> None:
    """Lists of thousands of values cost one statement each and raise no finding."""
    with count_queries(engine) as queries, Session(engine) as session:
        for start in range(4):
            session.scalars(select(Shelf).where(Shelf.id.in_(range(start * 5000, (start + 1) * 5000)))).all()
    assert queries.count == 4
    assert queries.n_plus_one == []


@pytest.mark.parametrize("target", ["engine", "postgresql"])
def test_failed_statement(target: str, request: pytest.FixtureRequest) -> None:
    """A statement that the database refuses is counted, with its duration and unknown rows."""
    engine = request.getfixturevalue(target)
    with count_queries(engine) as queries, engine.connect() as connection:
        with pytest.raises(DBAPIError):
            connection.execute(text("SELECT nothing FROM nowhere"))
        connection.rollback()
        connection.execute(text("SELECT 1"))
    assert queries.count == 2
    assert queries.statements[0].rows == -1
    assert queries.statements[0].ms > 0
    assert queries.statements[0].location is not None


def test_failed_flush(engine: Engine) -> None:
    """A violated constraint in a flush is counted once, and the block goes on."""
    with count_queries(engine) as queries, Session(engine) as session:
        session.add(Shelf(id=1, name="again"))
        with pytest.raises(IntegrityError):
            session.flush()
        session.rollback()
        assert session.scalar(select(func.count(Shelf.id))) == 3
    assert queries.count == 2


def test_streamed_result(postgresql: Engine) -> None:
    """A result read by a server-side cursor in parts is one statement."""
    with count_queries(postgresql) as queries, postgresql.connect() as connection:
        streaming = connection.execution_options(yield_per=2)
        assert len([row.id for row in streaming.execute(select(Book.id))]) == 6
    assert queries.count == 1
    assert queries.statements[0].rows in {6, -1}


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


def test_two_engines(engine: Engine, other_engine: Engine) -> None:
    """A block on one engine is deaf to others; a block on none hears all."""
    with count_queries() as everything, count_queries(engine) as one, count_queries(other_engine) as two:
        ask(engine, 2)
        ask(other_engine)
    assert (everything.count, one.count, two.count) == (3, 2, 1)


def test_engine_made_inside(tmp_path: Path) -> None:
    """A block without a target hears an engine that was made inside it."""
    with count_queries() as queries:
        engine = create_engine(f"sqlite:///{tmp_path / 'new.sqlite3'}")
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
        engine.dispose()
    assert queries.count == 1


def test_engine_disposed_inside(engine: Engine) -> None:
    """Disposing of the engine's pool inside the block loses nothing."""
    with count_queries(engine) as queries:
        ask(engine)
        engine.dispose()
        ask(engine)
    assert queries.count == 2


def test_engine_with_options(engine: Engine) -> None:
    """An engine made by ``execution_options`` shares the target's connections and is counted with it."""
    variant = engine.execution_options(isolation_level="AUTOCOMMIT")
    with count_queries(engine) as queries:
        ask(variant)
    assert queries.count == 1


def test_session_as_target(engine: Engine, other_engine: Engine) -> None:
    """A session can be the target, made by itself, by a maker or scoped."""
    scoped = scoped_session(sessionmaker(engine))
    for session in (Session(engine), sessionmaker(engine)(), scoped):
        with count_queries(session) as queries:
            session.scalars(select(Shelf)).all()
            ask(other_engine)
        session.close()
        assert queries.count == 1


async def test_async_targets(async_engine: AsyncEngine) -> None:
    """An asynchronous engine or session can be the target."""
    async with async_sessionmaker(async_engine)() as session:
        for target in (async_engine, session, async_engine.sync_engine, session.sync_session):
            with count_queries(target) as queries:
                await session.execute(select(Shelf.id))
            assert queries.count == 1


def test_session_bound_to_a_connection(engine: Engine) -> None:
    """A session inside a test's own transaction, bound to a connection, can be the target."""
    with engine.connect() as connection, Session(bind=connection) as session:
        with count_queries(session) as queries, count_queries(engine) as by_engine:
            session.scalars(select(Shelf)).all()
        assert (queries.count, by_engine.count) == (1, 1)


def test_session_with_several_binds(engine: Engine, other_engine: Engine) -> None:
    """A session with an engine for each class is counted on all of them."""
    with Session(binds={Shelf: engine, Book: other_engine}) as session:
        with count_queries(session) as queries:
            session.scalars(select(Shelf)).all()
            session.scalars(select(Book)).all()
        assert queries.count == 2


@pytest.mark.parametrize("target", ["sqlite://", 7, Session])
def test_wrong_target(target: object) -> None:
    """Anything else is refused with the value in the message."""
    with pytest.raises(PitstopError, match=r"sqlite|7|Session"), count_queries(target):  # type: ignore[arg-type,unused-ignore]
        pass


def test_connection_held_before(engine: Engine) -> None:
    """A connection that was checked out, in a transaction, before the block is counted in it."""
    with Session(engine) as session, engine.connect() as connection:
        session.scalars(select(Shelf)).all()
        connection.execute(select(Shelf.id))
        with count_queries(engine) as queries:
            session.scalars(select(Shelf)).all()
            connection.execute(select(Shelf.id))
        assert queries.count == 2


def test_parents_loaded_before(engine: Engine) -> None:
    """Lazy loads of parents that were loaded before the block are found, though their query was not seen."""
    with Session(engine) as session:
        shelves = session.scalars(select(Shelf)).all()
        with count_queries(session) as queries:
            for shelf in shelves:
                assert len(shelf.books) == 2
    (finding,) = queries.n_plus_one
    assert (finding.parent, finding.relationship, finding.count) == ("Shelf", "books", 3)


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


def _rows(engine: Engine) -> Iterator[Any]:
    with engine.connect() as connection:
        yield from connection.execute(select(Shelf.id)).all()  # <generator>


def _line(label: str) -> int:
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    (number,) = [n for n, line in enumerate(lines, 1) if line.endswith(f"# <{label}>")]
    return number


def _check_lines(queries: Any, *labels: str) -> None:
    locations = [statement.location for statement in queries.statements]
    assert [(file, line) for file, line, _ in locations] == [(__file__, _line(label)) for label in labels]


def test_lines_of_synchronous_calls(engine: Engine) -> None:
    """The line is the user's for every kind of synchronous call."""
    with count_queries(engine) as queries, Session(engine) as session, engine.connect() as connection:
        list(_rows(engine))
        session.scalars(select(Shelf)).all()  # <scalars>
        [session.scalar(select(Shelf.name).where(Shelf.id == n)) for n in (1,)]  # <comprehension>
        session.get(Book, 1)  # <get>
        session.query(Book).filter_by(id=2).first()  # <query>
        session.query(Book).count()  # <count>
        connection.exec_driver_sql("SELECT 1")  # <driver>
        connection.scalar(text("SELECT 1"))  # <text>
        session.add(Shelf(name="new"))
        session.flush()  # <flush>
        session.rollback()
    _check_lines(
        queries,
        *("generator", "scalars", "comprehension", "get", "query", "count", "driver", "text", "flush"),
    )
    assert queries.statements[0].location.function == "_rows"
    assert queries.statements[-1].location.function == "test_lines_of_synchronous_calls"


@pytest.mark.parametrize("driver", ["aiosqlite", "asyncpg"])
def test_lines_of_asynchronous_calls(driver: str, request: pytest.FixtureRequest) -> None:
    """The line is the user's for every kind of asynchronous call."""
    filled: Engine = request.getfixturevalue("engine" if driver == "aiosqlite" else "postgresql")
    asyncio.run(_asynchronous_calls(filled.url.set(drivername=f"{filled.url.get_backend_name()}+{driver}")))


async def _asynchronous_calls(url: URL) -> None:
    engine = create_async_engine(url)

    def inside(session: Session) -> None:
        session.scalars(select(Shelf)).all()  # <run_sync>

    async def each(session: AsyncSession) -> AsyncIterator[Any]:
        for row in await session.execute(select(Shelf.id)):  # <agen>
            yield row

    async with engine.connect():  # a dialect's first connection asks questions of its own
        pass
    with count_queries(engine) as queries:
        async with AsyncSession(engine) as session, engine.connect() as connection:
            await session.execute(select(Shelf))  # <execute>
            await session.run_sync(inside)
            assert [row async for row in each(session)]
            await session.get(Book, 1)  # <async get>
            await asyncio.create_task(session.scalar(select(Shelf.id).limit(1)))  # <task>
            await connection.execute(text("SELECT 1"))  # <connection>
            await (await session.stream(select(Book.id))).close()  # <stream>
            session.add(Slip(name="new"))
            await session.flush()  # <async flush>
            await session.rollback()
    await engine.dispose()
    assert queries.count == 8
    locations = [statement.location for statement in queries.statements]
    labels = ["execute", "run_sync", "agen", "async get", "task", "connection", "stream", "async flush"]
    for location, label in zip(locations, labels, strict=True):
        if label != "task":  # the coroutine of the library itself is the task: nobody of ours is on its stack
            assert (location.file, location.line) == (__file__, _line(label)), label


async def test_lines_in_other_threads(engine: Engine) -> None:
    """The line is the user's in a thread, a pool's thread and ``to_thread``."""

    def work() -> None:
        with engine.connect() as connection:
            connection.execute(select(Shelf.id)).all()  # <thread>

    with count_queries(engine) as queries:
        await asyncio.to_thread(work)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        await asyncio.get_running_loop().run_in_executor(None, work)
    _check_lines(queries, *["thread"] * queries.count)
    assert queries.count >= 2


def test_fingerprints(engine: Engine) -> None:
    """Values do not change the fingerprint, bound or written; another statement has another."""
    with count_queries(engine) as queries, engine.connect() as connection:
        for number in (1, 2):
            connection.execute(select(Shelf.name).where(Shelf.id == number))
        for number in (1, 2):
            connection.execute(text(f"SELECT name FROM count_shelf WHERE id = {number}"))
        connection.execute(select(Shelf.id).where(Shelf.id == 1))
        connection.execute(select(Shelf.name).where(Shelf.id.in_([1, 2])))
        connection.execute(select(Shelf.name).where(Shelf.id.in_([1, 2, 3])))
    prints = [statement.fingerprint for statement in queries.statements]
    assert prints[0] == prints[1]
    assert prints[2] == prints[3]
    assert prints[5] == prints[6]
    assert len({prints[0], prints[4], prints[5]}) == 3


def test_values_are_not_in_the_representation(engine: Engine) -> None:
    """What the records print holds no bound value."""
    with count_queries(engine) as queries, engine.connect() as connection:
        connection.execute(select(Shelf.id).where(Shelf.name == "a secret of the customer"))
    assert "secret" not in f"{queries!r} {queries.statements!r}"


def test_nothing_piles_up(engine: Engine) -> None:
    """A hundred blocks leave as many listeners on the engine and in the process as one."""
    from sqlalchemy.event import registry

    with count_queries(engine):
        ask(engine)
    gc.collect()  # engines of other tests
    before = len(registry._key_to_collection)
    listeners = len(list(engine.dispatch.before_cursor_execute))
    for _ in range(100):
        with count_queries(engine):
            pass
    assert len(registry._key_to_collection) <= before
    assert len(list(engine.dispatch.before_cursor_execute)) == listeners


def _run(script: str) -> str:
    preamble = """
        import json
        from sqlalchemy import ForeignKey, create_engine, event, select
        from sqlalchemy.event import registry
        from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
        from sqlalchemy.pool import StaticPool

        class Base(DeclarativeBase): ...

        class Shelf(Base):
            __tablename__ = "shelf"
            id: Mapped[int] = mapped_column(primary_key=True)
            books: Mapped[list["Book"]] = relationship()

        class Book(Base):
            __tablename__ = "book"
            id: Mapped[int] = mapped_column(primary_key=True)
            shelf_id: Mapped[int] = mapped_column(ForeignKey("shelf.id"))

        engine = create_engine("sqlite://", poolclass=StaticPool)
        Base.metadata.create_all(engine)
        with Session(engine) as session:
            session.add_all([Shelf(books=[Book()]) for _ in range(4)])
            session.commit()

        def walk():
            with Session(engine) as session:
                for shelf in session.scalars(select(Shelf)):  # the query
                    len(shelf.books)  # the touch
    """
    code = textwrap.dedent(preamble) + textwrap.dedent(script)
    done = subprocess.run([sys.executable, "-W", "error", "-"], input=code, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_compiled_before_the_first_block() -> None:
    """Statements compiled before Pitstop was even imported give a finding with both lines and the cure."""
    output = _run("""
        walk()
        from pitstop import count_queries
        with count_queries(engine) as queries:
            walk()
        finding, = queries.n_plus_one
        assert queries.count == 5 and finding.count == 4
        assert (finding.parent, finding.relationship) == ("Shelf", "books")
        print(finding.cure, finding.query_location is not None, finding.location is not None)
    """)
    assert output.split() == ["selectinload(Shelf.books)", "True", "True"]


def test_compiled_between_blocks() -> None:
    """Statements first compiled between two blocks are as complete in the second."""
    output = _run("""
        from pitstop import count_queries
        with count_queries(engine):
            pass
        walk()
        with count_queries(engine) as queries:
            walk()
        print(queries.n_plus_one[0].query_location is not None)
    """)
    assert output.split() == ["True"]


def test_nothing_listens_after_the_block() -> None:
    """After the last block no listener is left on the engine, the session class or anything else."""
    output = _run("""
        from pitstop import count_queries
        before = len(registry._key_to_collection)
        with count_queries(engine) as queries, count_queries() as everything:
            walk()
        left = [key for key in registry._key_to_collection]
        print(len(left) - before, queries.count, everything.count)
    """)
    assert output.split() == ["0", "5", "5"]
