"""The target of a block: engines and sessions of every kind."""

from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker
from sqlalchemy.orm import (
    Session,
    scoped_session,
    sessionmaker,
)

from pitstop import PitstopError, count_queries
from tests.sql.shelves import Book, Shelf, ask


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
