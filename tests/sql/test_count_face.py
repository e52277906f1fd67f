"""The query counter: what it counts and what it says of each statement."""

import inspect
from types import FrameType

import pytest
from sqlalchemy import Engine, create_engine, event, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError, MissingGreenlet
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from pitstop import count_queries
from pitstop.sql import hooks
from tests.sql.shelves import Book, Shelf, Slip, ask


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


async def test_a_lazy_load_that_async_code_forbids_is_no_statement(async_postgresql: AsyncEngine) -> None:
    """What raises MissingGreenlet never reached the database: it is told apart, with its cure."""
    with count_queries(async_postgresql) as queries:
        async with AsyncSession(async_postgresql) as session:
            shelves = (await session.scalars(select(Shelf))).all()
            for shelf in shelves:
                with pytest.raises(MissingGreenlet):
                    len(shelf.books)
    assert queries.count == 1
    assert queries.n_plus_one == []
    (forbidden,) = queries.forbidden
    assert forbidden.kind == "forbidden-load"
    assert (forbidden.parent, forbidden.relationship) == ("Shelf", "books")
    assert forbidden.cure == "selectinload(Shelf.books)"
    assert forbidden.query_location is not None
    assert forbidden.location is not None
    assert forbidden.query_location.line < forbidden.location.line


def test_a_failure_of_the_observation_fails_no_statement(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What goes wrong while a statement is recorded is logged once, and the statement has its result."""

    def broken(text: str) -> None:
        raise ZeroDivisionError(text)

    monkeypatch.setattr(hooks, "fingerprint", broken)
    monkeypatch.setattr(hooks, "_warned", False)
    with count_queries(engine) as queries, engine.connect() as connection:
        assert connection.execute(select(Shelf.id)).all() == [(1,), (2,), (3,)]
        assert connection.execute(select(Shelf.id)).all() == [(1,), (2,), (3,)]
    assert queries.count == 0
    assert [record.message for record in caplog.records if record.name == "pitstop.sql"] == [
        "a statement was not observed (said once): ZeroDivisionError: "
        "SELECT count_shelf.id \nFROM count_shelf"
    ]
