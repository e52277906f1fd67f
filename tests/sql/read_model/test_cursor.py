"""The driver's own cursor inside a session's transaction: what it may not change."""

import asyncio
import logging
from typing import Any

import pytest
from pydantic import BaseModel
from sqlalchemy import Engine, Float, bindparam, create_engine, event, func, literal, text
from sqlalchemy.exc import DataError, OperationalError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from pitstop import count_queries, read_model


class Base(DeclarativeBase):
    pass


class Thing(Base):
    __tablename__ = "cursor_thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class ThingOut(BaseModel):
    id: int
    name: str


ALL = read_model(Thing, ThingOut).order_by(Thing.id)


@pytest.fixture
def engine(sync_database_url: str) -> Any:
    engine = create_engine(sync_database_url)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all([Thing(id=1, name="a"), Thing(id=2, name="b")])
        session.commit()
    for _ in range(2):  # from the second time on the text is at hand
        with Session(engine) as session:
            ALL.fetch_sync(session)
    yield engine
    engine.dispose()


def test_it_sees_what_the_session_has_flushed(engine: Engine) -> None:
    """It asks in the session's own transaction, after its flush, and nothing is left behind."""
    with Session(engine) as session:
        session.add(Thing(id=3, name="c"))
        assert b'"c"' in ALL.fetch_sync(session)
        session.rollback()
        assert b'"c"' not in ALL.fetch_sync(session)


def test_who_listens_hears(engine: Engine) -> None:
    """With a listener on the engine the statement goes the way on which it is heard."""
    heard: list[str] = []
    with Session(engine) as session:
        before = ALL.fetch_sync(session)
    event.listen(engine, "before_cursor_execute", lambda *found: heard.append(found[2]))
    with Session(engine) as session:
        assert ALL.fetch_sync(session) == before
    assert len(heard) == 1


def test_echo_is_heard(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    """With the engine's log switched on the statement is in it."""
    caplog.set_level(logging.INFO, logger="sqlalchemy.engine")
    with Session(engine) as session:
        ALL.fetch_sync(session)
    assert "cursor_thing" in caplog.text


def test_pitstop_counts_it(engine: Engine) -> None:
    """It is one statement with its line, as any other."""
    with count_queries(engine) as queries, Session(engine) as session:
        ALL.fetch_sync(session)
    assert queries.count == 1
    location = queries.statements[0].location
    assert location is not None
    assert location.function == "test_pitstop_counts_it"


def test_an_error_of_the_database_is_one_of_sqlalchemy(engine: Engine) -> None:
    """It has the class it would have had, no parameters in it, and the session can be rolled back."""
    divided = read_model(Thing, ThingOut).where(
        literal(1) / func.abs(bindparam("by", type_=Thing.id.type)) > 0
    )
    with Session(engine) as session:
        for _ in range(3):
            with pytest.raises(DataError, match="division by zero"):
                divided.fetch_sync(session, by=0)
            session.rollback()
        assert b'"a"' in ALL.fetch_sync(session)


def test_a_lost_connection_is_given_up(engine: Engine) -> None:
    """What the server ended is not put back into the pool."""
    with Session(engine) as session:
        pid = session.scalar(text("SELECT pg_backend_pid()"))
        with engine.connect() as other:
            other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
        with pytest.raises(OperationalError) as caught:
            ALL.fetch_sync(session)
        assert caught.value.connection_invalidated
    with Session(engine) as session:
        assert b'"a"' in ALL.fetch_sync(session)


async def test_a_cancelled_statement_gives_its_connection_up(engine: Engine, database_url: str) -> None:
    """A task that is cancelled while PostgreSQL works leaves no connection in the middle of an answer."""
    slow = read_model(Thing, ThingOut).where(func.pg_sleep(bindparam("seconds", type_=Float)).is_not(None))
    own = create_async_engine(database_url, pool_size=1, max_overflow=0)
    for _ in range(2):
        async with AsyncSession(own) as session:
            await slow.fetch(session, seconds=0)
            before = await session.scalar(text("SELECT pg_backend_pid()"))
    with pytest.raises(TimeoutError):
        async with AsyncSession(own) as session, asyncio.timeout(0.3):
            await slow.fetch(session, seconds=30)
    async with AsyncSession(own) as session:
        assert b'"a"' in await ALL.fetch(session)
        assert await session.scalar(text("SELECT pg_backend_pid()")) != before
    assert own.pool.checkedout() == 0  # type: ignore[attr-defined]
    await own.dispose()
