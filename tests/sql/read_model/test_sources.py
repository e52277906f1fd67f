"""Where a read model is asked: sessions and their transactions, connections, engines; what is seen of it."""

import asyncio
import json
from typing import Any

import pytest
from pydantic import BaseModel
from sqlalchemy import Engine, bindparam, event, func, select, text
from sqlalchemy import create_engine as make_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_scoped_session,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import ORMExecuteState, Session, scoped_session, sessionmaker, with_loader_criteria
from starlette.exceptions import HTTPException

from pitstop import count_queries, read_model
from pitstop.errors import ReadModelError
from tests.sql.read_model.city import Base, Desk, Flat, House, Person, settle

TWICE = 3  # the first time SQLAlchemy compiles, from the second time on the text is kept


class DeskOut(BaseModel):
    floor: int


DESKS = read_model(Desk, DeskOut).where(Desk.floor >= bindparam("least", value=0))
ONE = read_model(Desk, DeskOut).where(Desk.id == bindparam("id")).one(missing="no such desk")


@pytest.fixture
async def desks(engine: AsyncEngine) -> AsyncEngine:
    """With two desks."""
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
        await connection.execute(Desk.__table__.insert(), [{"floor": 1}, {"floor": 2}])
    return engine


@pytest.fixture
def sync_desks(sync_engine: Engine) -> Engine:
    """The same by psycopg."""
    Base.metadata.create_all(sync_engine)
    with sync_engine.begin() as connection:
        connection.execute(Desk.__table__.insert(), [{"floor": 1}, {"floor": 2}])
    return sync_engine


def floors(data: bytes) -> list[int]:
    return [each["floor"] for each in json.loads(data)]


async def test_a_session_sees_its_own_changes(desks: AsyncEngine) -> None:
    """What is pending is flushed first, as a query would; it is seen here and nowhere else."""
    async with AsyncSession(desks) as session:
        for number in range(TWICE):
            session.add(Desk(floor=10 + number))
            assert floors(await DESKS.fetch(session)) == [1, 2, *range(10, 11 + number)]
        assert floors(await DESKS.fetch(desks)) == [1, 2]
        await session.rollback()
        assert floors(await DESKS.fetch(session)) == [1, 2]


async def test_without_autoflush_nothing_is_flushed(desks: AsyncEngine) -> None:
    """The session's own setting holds, and so does its block."""
    async with AsyncSession(desks, autoflush=False) as session:
        session.add(Desk(floor=9))
        assert floors(await DESKS.fetch(session)) == [1, 2]
    async with AsyncSession(desks) as session:
        session.add(Desk(floor=9))
        with session.no_autoflush:
            assert floors(await DESKS.fetch(session)) == [1, 2]


def test_within_a_flush(sync_desks: Engine) -> None:
    """A listener on a flush may ask; the flush does not begin again."""
    seen = []
    with Session(sync_desks) as session:

        @event.listens_for(session, "after_flush")
        def ask(session: Session, context: Any) -> None:
            seen.append(floors(DESKS.fetch_sync(session)))

        session.add(Desk(floor=3))
        session.commit()
    assert seen == [[1, 2, 3]]


def test_the_connection_of_the_mapper(sync_desks: Engine) -> None:
    """A session with several engines asks the one that the class is bound to."""
    with (
        make_engine("sqlite://").connect() as elsewhere,
        Session(elsewhere, binds={Desk: sync_desks}) as session,
    ):
        assert floors(DESKS.fetch_sync(session)) == [1, 2]


class NameOut(BaseModel):
    name: str


class HouseOut(BaseModel):
    street: str
    owners: list[NameOut]
    rooms: list[str]


def test_criteria_of_the_session(sync_engine: Engine) -> None:
    """What a listener adds to every query of a session holds here too, at every level; nowhere else."""
    Base.metadata.create_all(sync_engine)
    shown = read_model(House, HouseOut).field("rooms", House.flats, Flat.letter).where(House.rooms > 3)
    with Session(sync_engine) as session:
        settle(session)
        everything = json.loads(shown.fetch_sync(session))

        @event.listens_for(session, "do_orm_execute")
        def only(state: ORMExecuteState) -> None:
            state.statement = state.statement.options(
                with_loader_criteria(House, House.rooms == 5, include_aliases=True),
                with_loader_criteria(Person, lambda person: person.name != "Eve", include_aliases=True),
                with_loader_criteria(Flat, Flat.letter == "b", include_aliases=True),
            )

        for _ in range(TWICE):
            session.add(House(street="new", rooms=5))
            (found, *others) = json.loads(shown.fetch_sync(session))
            assert found == {"street": "street 3", "owners": [{"name": "Dan"}], "rooms": ["b"]}
            assert {each["street"] for each in others} == {"new"}
        session.rollback()
    with Session(sync_engine) as session:
        assert json.loads(shown.fetch_sync(session)) == everything


async def test_every_source(desks: AsyncEngine) -> None:
    """Session, scoped session, connection in and out of transactions, engine: the same, again and again."""
    scoped = async_scoped_session(async_sessionmaker(desks), scopefunc=asyncio.current_task)
    open_ = desks.execution_options(isolation_level="AUTOCOMMIT")
    async with AsyncSession(desks) as session, desks.connect() as connection, open_.connect() as autocommit:
        sources: list[Any] = [session, scoped, connection, autocommit, desks, open_]
        for source in sources * TWICE:
            assert floors(await DESKS.fetch(source, least=2)) == [2]
            assert floors(await DESKS.fetch(source)) == [1, 2]
            assert await ONE.fetch(source, id=1) == b'{"floor":1}'
            assert await ONE.fetch(source, id=99) is None
        assert not autocommit.in_transaction() or autocommit.sync_connection is not None
    await scoped.remove()


def test_every_sync_source(sync_desks: Engine) -> None:
    """The same without asyncio."""
    scoped = scoped_session(sessionmaker(sync_desks))
    with Session(sync_desks) as session, sync_desks.connect() as connection:
        for source in (session, scoped, connection, sync_desks) * TWICE:
            assert floors(DESKS.fetch_sync(source, least=2)) == [2]
            assert ONE.fetch_sync(source, id=2) == b'{"floor":2}'
            assert ONE.fetch_sync(source, id=99) is None
    scoped.remove()


async def test_the_other_async_driver(desks: AsyncEngine) -> None:
    """psycopg asks asynchronously too."""
    engine = create_async_engine(desks.url.set(drivername="postgresql+psycopg"))
    async with AsyncSession(engine) as session:
        for source in (session, engine) * TWICE:
            assert floors(await DESKS.fetch(source, least=2)) == [2]
    await engine.dispose()


async def test_sources_that_are_none(desks: AsyncEngine, sync_desks: Engine) -> None:
    """The sync twin is named for a sync session, and the other way round; SQLite cannot be asked."""
    with (
        Session(sync_desks) as session,
        pytest.raises(ReadModelError, match=r"cannot ask a Session.*fetch_sync"),
    ):
        await DESKS.fetch(session)  # type: ignore[arg-type]
    with pytest.raises(ReadModelError, match=r"cannot ask a AsyncEngine.*await fetch"):
        DESKS.fetch_sync(desks)  # type: ignore[arg-type]
    lite = make_engine("sqlite://")
    with Session(lite) as session, pytest.raises(ReadModelError, match="need postgresql, this is sqlite"):
        DESKS.fetch_sync(session)
    lite.dispose()


async def test_one_statement_each_is_counted(desks: AsyncEngine) -> None:
    """Each way of asking is one statement to whoever counts, with the line that asked."""
    open_ = desks.execution_options(isolation_level="AUTOCOMMIT")
    async with AsyncSession(desks) as session, open_.connect() as autocommit:
        for source in (session, autocommit, desks) * TWICE:
            with count_queries(desks) as queries:
                await DESKS.fetch(source)
            (statement,) = queries.statements
            assert statement.location is not None
            assert statement.location.file == __file__
            assert statement.rows == 1
            assert not statement.failed


async def test_a_schema_that_is_translated(desks: AsyncEngine) -> None:
    """The names that are given to schemas when a connection is made are followed."""
    async with desks.begin() as connection:
        await connection.execute(text("CREATE SCHEMA other"))
        await connection.execute(text("CREATE TABLE other.desk AS SELECT 7 AS id, 70 AS floor"))
    other = desks.execution_options(schema_translate_map={None: "other"})
    for source in (desks, other) * TWICE:
        assert floors(await DESKS.fetch(source)) == ([70] if source is other else [1, 2])
        async with source.connect() as connection:
            assert floors(await DESKS.fetch(connection)) == ([70] if source is other else [1, 2])


async def test_responses(desks: AsyncEngine, sync_engine: Engine) -> None:
    """JSON with its type; an object that is not there is a 404 that says what was given to say."""
    for _ in range(TWICE):
        answer = await DESKS.response(desks, least=2)
        assert (answer.status_code, answer.body) == (200, b'[{"floor":2}]')
        assert answer.headers["content-type"] == "application/json"
        assert DESKS.response_sync(sync_engine, least=2).body == b'[{"floor":2}]'
        assert (await ONE.response(desks, id=1)).body == b'{"floor":1}'
        with pytest.raises(HTTPException) as caught:
            await ONE.response(desks, id=99)
        assert (caught.value.status_code, caught.value.detail) == (404, "no such desk")
        with pytest.raises(HTTPException):
            ONE.response_sync(sync_engine, id=99)
    page = read_model(Desk, DeskOut).page(1)
    answer = await page.response(desks)
    body = json.loads(bytes(answer.body))
    assert body["items"] == [{"floor": 1}]
    last = read_model(Desk, DeskOut).page(1, after=body["next"]).response_sync(sync_engine)
    assert json.loads(bytes(last.body)) == {"items": [{"floor": 2}], "next": None}


SLOW = read_model(Desk, DeskOut).where(func.pg_sleep(bindparam("seconds")).is_not(None), Desk.id == 1)
BAD = read_model(Desk, DeskOut).where(Desk.floor / bindparam("by") > 0)


async def test_errors_leave_the_pool_whole(desks: AsyncEngine) -> None:
    """A refused statement is an error of SQLAlchemy's and seen as failed; the connection serves the next."""
    for _ in range(TWICE):
        with count_queries(desks) as queries, pytest.raises(DBAPIError, match="division by zero"):
            await BAD.fetch(desks, by=0)
        assert [each.failed for each in queries.statements] == [True]
        assert floors(await DESKS.fetch(desks)) == [1, 2]
    assert desks.pool.checkedout() == 0  # type: ignore[attr-defined]


async def test_cancellation_leaks_nothing(desks: AsyncEngine) -> None:
    """A request that is given up takes its connection with it; the next one is answered."""
    assert floors(await SLOW.fetch(desks, seconds=0.0)) == [1]
    for _ in range(3):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(SLOW.fetch(desks, seconds=30.0), 0.2)
        assert floors(await DESKS.fetch(desks)) == [1, 2]
    assert desks.pool.checkedout() == 0  # type: ignore[attr-defined]


async def test_a_connection_that_has_died(desks: AsyncEngine) -> None:
    """What was killed by the server is an error once and never given out again."""
    for _ in range(TWICE):
        assert floors(await DESKS.fetch(desks)) == [1, 2]
    killer = create_async_engine(desks.url)
    others = "pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    async with killer.connect() as connection:
        await connection.execute(text(f"SELECT pg_terminate_backend(pid) FROM {others}"))
        while await connection.scalar(text(f"SELECT count(*) FROM {others}")):
            await connection.rollback()
            await asyncio.sleep(0.01)
    await killer.dispose()
    with pytest.raises(DBAPIError):
        await DESKS.fetch(desks)
    assert floors(await DESKS.fetch(desks)) == [1, 2]


async def test_many_at_once(desks: AsyncEngine) -> None:
    """Twenty tasks ask one read model with values of their own, each on its connection."""
    answers = await asyncio.gather(*(DESKS.fetch(desks, least=1 + number % 3) for number in range(60)))
    assert [floors(each) for each in answers] == [[1, 2], [2], []] * 20


async def test_made_anew_it_is_compiled_once(desks: AsyncEngine) -> None:
    """A read model with values of the request, made in the request, uses SQLAlchemy's cache of statements."""

    async def ask(session: AsyncSession, floor: int) -> list[int]:
        return floors(await read_model(Desk, DeskOut).where(Desk.floor == floor).limit(floor).fetch(session))

    async with AsyncSession(desks) as session:
        await ask(session, 1)
        before = len(desks.sync_engine._compiled_cache)  # type: ignore[arg-type]
        assert [await ask(session, floor) for floor in (1, 2, 3)] == [[1], [2], []]
        assert len(desks.sync_engine._compiled_cache) == before  # type: ignore[arg-type]


def test_a_subquery_in_a_condition(sync_desks: Engine) -> None:
    """A condition by subquery is correlated to nothing by mistake."""
    lowest = select(func.min(Desk.floor)).scalar_subquery()
    assert floors(read_model(Desk, DeskOut).where(Desk.floor > lowest).fetch_sync(sync_desks)) == [2]
