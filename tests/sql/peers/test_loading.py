"""The face: targets, limits, the second touch, closing; falling back; what a detector says of it."""

import gc
import logging
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, Engine, NullPool, create_engine, event, select
from sqlalchemy.exc import DBAPIError, MissingGreenlet, PendingRollbackError, StatementError
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_scoped_session,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from pitstop import PitstopError, count_queries, peer_loading
from pitstop.sql.peers import inside
from tests.sql.scenarios.models import Author, Comment, Post

AUTHORS = select(Author).order_by(Author.id)


def statements(session: Session) -> int:
    """How many a walk over authors and posts takes."""
    with count_queries(session) as queries:
        for author in session.scalars(AUTHORS):
            assert len(author.posts) == 3
    return queries.count


def test_session(engine: Engine) -> None:
    """A session, until the block ends."""
    with Session(engine) as session, Session(engine) as other:
        with peer_loading(session):
            assert statements(session) == 2
            assert statements(other) == 7
        session.expunge_all()
        assert statements(session) == 7


def test_makers(engine: Engine) -> None:
    """A sessionmaker with the sessions that it has made, and no other."""
    make, other = sessionmaker(engine), sessionmaker(engine)
    made = make()
    with peer_loading(make):
        assert [statements(each) for each in (made, make(), other(), Session(engine))] == [2, 2, 7, 7]
    made.expunge_all()
    assert statements(made) == 7


def test_scoped(engine: Engine) -> None:
    """A scoped session."""
    scoped = scoped_session(sessionmaker(engine))
    with peer_loading(scoped):
        assert statements(scoped()) == 2
    scoped.remove()


def test_classes(engine: Engine) -> None:
    """A class of sessions, with its subclasses."""

    class Mine(Session):
        pass

    class Special(Mine):
        pass

    with peer_loading(Mine):
        assert [statements(each(engine)) for each in (Mine, Special, Session)] == [2, 2, 7]


async def test_async_targets(both_async: AsyncEngine) -> None:
    """An async session, a maker, a maker with a class of its own, a scoped session; and no other session."""

    class Mine(Session):
        pass

    makers: list[Any] = [
        async_sessionmaker(both_async),
        async_sessionmaker(both_async, sync_session_class=Mine),
        async_scoped_session(async_sessionmaker(both_async), lambda: 1),
    ]
    for make in makers:
        with peer_loading(make), peer_loading(make):
            async with make() as session:
                assert await session.run_sync(statements) == 2
    async with AsyncSession(both_async) as session:
        assert await session.run_sync(statements) == 7
        with peer_loading(session):
            session.expunge_all()
            assert await session.run_sync(statements) == 2


@pytest.mark.parametrize("target", [None, "session", 3, object, Engine])
def test_no_target(target: Any) -> None:
    """Anything else is an error that says what is taken."""
    with pytest.raises(PitstopError, match="takes a Session"):
        peer_loading(target)


def test_bad_arguments(engine: Engine) -> None:
    """So are a relationship that is none and a third touch."""
    with Session(engine) as session:
        with pytest.raises(PitstopError, match=r"attributes such as Post\.comments, not 'posts'"):
            peer_loading(session, relationships=["posts"])
        with pytest.raises(PitstopError, match="not 3"):
            peer_loading(session, touch=3)


def test_twice(engine: Engine) -> None:
    """Switched on twice it does the same; one handle may be closed, and closed again."""
    with Session(engine) as session:
        first, second = peer_loading(session), peer_loading(session)
        assert statements(session) == 2
        first.close()
        first.close()
        session.expunge_all()
        assert statements(session) == 2
        second.close()
        session.expunge_all()
        assert statements(session) == 7


def test_closed_midway(engine: Engine) -> None:
    """What was kept for peers is not used after the end."""
    with Session(engine) as session:
        with peer_loading(session):
            one, *others = session.scalars(AUTHORS).all()
            assert one.posts
        with count_queries(session) as queries:
            assert all(other.posts for other in others)
        assert queries.count == 5


def test_relationships(engine: Engine) -> None:
    """Limited to some attributes, it leaves the others alone."""
    with Session(engine) as session, peer_loading(session, relationships=[Author.posts, Author.biography]):
        assert statements(session) == 2
        with count_queries(session) as queries:
            for author in session.scalars(AUTHORS):
                assert author.circles
                assert author.biography
        assert queries.count == 1 + 6 + 1


def test_second_touch(engine: Engine) -> None:
    """With touch=2 one row costs its own statement, and a loop one more than otherwise."""
    with Session(engine) as session, peer_loading(session, touch=2):
        first, *_ = session.scalars(AUTHORS).all()
        assert first.posts
        assert not [each for each in session if isinstance(each, Post) and each.author_id != 1]
        assert statements(session) == 2
        session.expunge_all()
        assert statements(session) == 3
        session.expunge_all()
        with count_queries(session) as queries:
            assert [author.biography for author in session.scalars(AUTHORS)]
        assert queries.count == 3


def test_errors_of_the_database(postgresql_url: URL) -> None:
    """An error of the database is raised as it is, and not tried again."""
    engine = create_engine(postgresql_url, poolclass=NullPool)
    with Session(engine) as session, peer_loading(session):
        authors = session.scalars(AUTHORS).all()
        session.connection().exec_driver_sql("ALTER TABLE post RENAME TO gone")
        with count_queries(session) as queries, pytest.raises(DBAPIError):
            _ = authors[0].posts
        assert queries.count == 1
        session.rollback()


def test_a_transaction_that_has_failed(postgresql_url: URL, caplog: pytest.LogCaptureFixture) -> None:
    """A session that must be rolled back first says so, and peer loading goes on afterwards."""
    engine = create_engine(postgresql_url, poolclass=NullPool)
    with Session(engine) as session, peer_loading(session):
        authors = session.scalars(AUTHORS).all()
        session.connection().invalidate()
        with pytest.raises(PendingRollbackError):
            _ = authors[0].posts
        assert not caplog.records
        session.rollback()
        assert statements(session) == 2


@pytest.mark.parametrize(
    "name",
    [
        "load_related",
        "lazy_relationship",
        "in_memory",
        "is_use_get",
        "plain_loader",
        "completed_state",
        "flush_before",
        "is_part_of_a_load",
    ],
)
def test_fall_back(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """Where SQLAlchemy is not as expected each row loads in the ordinary way, which is said once."""

    def missing(*_: object, **__: object) -> Any:
        raise AttributeError(f"{name} is gone")

    monkeypatch.setattr(inside, name, missing)
    with caplog.at_level(logging.WARNING), Session(engine) as session, peer_loading(session):
        assert statements(session) in (7, 3, 8)  # 3 and 8 where the failure came after the load
    assert [each.levelname for each in caplog.records] == ["WARNING"]
    assert f"{name} is gone" in caplog.text


def test_listeners(engine: Engine) -> None:
    """Listeners of the application hear the one statement as a load of the relationship."""
    with Session(engine) as session, peer_loading(session):
        heard = []
        event.listen(session, "do_orm_execute", lambda each: heard.append(each.is_relationship_load))
        assert statements(session) == 2
        assert heard.count(True) == 1


def test_not_an_n_plus_one(engine: Engine) -> None:
    """The detector counts a peer load as one statement, at the line that touched, and finds nothing."""
    with Session(engine) as session, peer_loading(session), count_queries(session) as queries:
        for author in session.scalars(AUTHORS):
            for post in author.posts:  # <touch>
                for comment in post.comments:
                    assert comment.writer.name
    assert queries.count == 4 - 1  # all writers are in the session
    assert queries.n_plus_one == []
    lines = Path(__file__).read_text("utf-8").splitlines()
    touched = queries.statements[1].location
    assert touched is not None
    assert "<touch>" in lines[touched.line - 1]


def test_what_is_left(engine: Engine) -> None:
    """Beside peer loads an N+1 is still found, and counted right."""
    limited = [Author.posts]
    with (
        Session(engine) as session,
        peer_loading(session, relationships=limited),
        count_queries(session) as queries,
    ):
        for author in session.scalars(AUTHORS):
            for post in author.posts:
                assert post.comments
    (found,) = queries.n_plus_one
    assert (found.parent, found.relationship, found.count) == ("Post", "comments", 18)
    assert queries.count == 1 + 1 + 18


async def test_awaitable_attributes(both_async: AsyncEngine) -> None:
    """Awaited attributes load for all; a touch that needs no statement needs no await."""
    async with AsyncSession(both_async) as session:
        authors = (await session.scalars(AUTHORS)).all()
        with peer_loading(session), count_queries(session) as queries:
            found = [await author.awaitable_attrs.posts for author in authors]
            assert [len(posts) for posts in found] == [3] * 6
            comments = [await post.awaitable_attrs.comments for posts in found for post in posts]
        assert len(comments) == 18
        assert queries.count == 2
        assert queries.n_plus_one == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore:coroutine")
async def test_without_await(sqlite_url: URL) -> None:
    """A lazy load without await raises as it does without peer loading."""
    engine = create_async_engine(sqlite_url.set(drivername="sqlite+aiosqlite"))
    async with AsyncSession(engine) as session:
        authors = (await session.scalars(AUTHORS)).all()
        with peer_loading(session), pytest.raises((MissingGreenlet, StatementError)):
            _ = authors[0].posts
    await engine.dispose()
    gc.collect()  # the driver's coroutine that nobody awaited


async def test_resolvers(both_async: AsyncEngine) -> None:
    """Resolvers that walk one by one, each with no sight of the others, take one statement a level."""

    async def resolve(instance: Any, *names: str) -> Any:
        if not names:
            return instance.id
        found = await getattr(instance.awaitable_attrs, names[0])
        return [await resolve(each, *names[1:]) for each in (found if isinstance(found, list) else [found])]

    async with AsyncSession(both_async) as session:
        with peer_loading(session), count_queries(session) as queries:
            comments = (await session.scalars(select(Comment).order_by(Comment.id))).all()
            walked = [await resolve(each, "post", "author", "circles") for each in comments]
    assert len(walked) == 36
    assert queries.count == 4
