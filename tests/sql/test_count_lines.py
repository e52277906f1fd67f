"""The line of a statement: the user's own, whoever executes it."""

import asyncio
import importlib
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, Engine, select, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from pitstop import count_queries
from tests.sql.shelves import Book, Shelf, Slip


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


def test_lines_of_installed_packages(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A statement that an installed package executes is reported at the user's call of the package."""
    installed = tmp_path / "site-packages"
    installed.mkdir()
    source = "def everything(session, statement):\n    return session.scalars(statement).all()\n"
    (installed / "pitstop_test_pages.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(str(installed))
    pages = importlib.import_module("pitstop_test_pages")
    with count_queries(engine) as queries, Session(engine) as session:
        for shelf in pages.everything(session, select(Shelf)):  # <package>
            list(shelf.books)  # <walk>
    _check_lines(queries, "package", "walk", "walk", "walk")
    (finding,) = queries.n_plus_one
    assert (finding.location[1], finding.query_location[1]) == (_line("walk"), _line("package"))


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


class _Audited(Session):
    def execute(self, *args: Any, **options: Any) -> Any:
        return super().execute(*args, **options)

    def scalars(self, *args: Any, **options: Any) -> Any:
        return super().scalars(*args, **options)

    def _shelves(self) -> list[Shelf]:
        return list(self.execute(select(Shelf)).scalars())  # <own method>


class _AsyncAudited(AsyncSession):
    async def scalars(self, *args: Any, **options: Any) -> Any:
        return await super().scalars(*args, **options)


async def test_lines_of_sessions_that_override(engine: Engine) -> None:
    """A session class of the user's that wraps ``execute`` is not the line: who called it is."""
    async_engine = create_async_engine(f"sqlite+aiosqlite:///{engine.url.database}")
    with count_queries() as queries:
        with _Audited(engine) as session:
            first = session.scalars(select(Shelf)).first()  # <overridden>
            assert first is not None
            assert len(first.books) == 2  # <lazy load>
            assert len(session._shelves()) == 3
            session.expire_all()
            repr(first.name)  # <expired>
        async with _AsyncAudited(async_engine) as async_session:
            await async_session.scalars(select(Shelf))  # <overridden async>
    await async_engine.dispose()
    _check_lines(queries, "overridden", "lazy load", "own method", "expired", "overridden async")
