"""A journal that the tests of implicit loading read: posts with an author, comments and a deferred body."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import BaseModel, ConfigDict
from sqlalchemy import ForeignKey, create_engine, insert, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    joinedload,
    mapped_column,
    relationship,
    selectinload,
    undefer,
)
from sqlalchemy.sql.base import ExecutableOption

from pitstop.postgres.address import psycopg_url

POSTS = 12
COMMENTS = 3
DRIVERS = ["asyncpg", "psycopg"]


class Base(DeclarativeBase):
    """The registry of these tests."""


class Author(Base):
    """Four of them."""

    __tablename__ = "journal_author"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Post(Base):
    """Twelve of them, three by each author."""

    __tablename__ = "journal_post"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    body: Mapped[str] = mapped_column(deferred=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("journal_author.id"))
    author: Mapped[Author] = relationship()
    comments: Mapped[list["Comment"]] = relationship(order_by="Comment.id")


class Comment(Base):
    """Three on each post."""

    __tablename__ = "journal_comment"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
    post_id: Mapped[int] = mapped_column(ForeignKey("journal_post.id"))


class Out(BaseModel):
    """What the schemas have in common."""

    model_config = ConfigDict(from_attributes=True)
    id: int


class AuthorOut(Out):
    """An author in a response."""

    name: str


class CommentOut(Out):
    """A comment in a response."""

    text: str


class PostOut(Out):
    """A post in a response, with all that is lazy."""

    title: str
    body: str
    author: AuthorOut
    comments: list[CommentOut]


def eagerly() -> list[ExecutableOption]:
    """The options that make nothing of a post lazy."""
    return [joinedload(Post.author), selectinload(Post.comments), undefer(Post.body)]


@asynccontextmanager
async def journal(database_url: str, driver: str) -> AsyncIterator[AsyncEngine]:
    """A filled database, by one of the drivers."""
    address = psycopg_url(database_url)
    filler = create_engine(address)
    Base.metadata.create_all(filler)
    with filler.begin() as connection:
        connection.execute(insert(Author), [{"id": n, "name": f"author {n}"} for n in range(1, 5)])
        connection.execute(
            insert(Post),
            [
                {"id": n, "title": f"post {n}", "body": f"body {n}", "author_id": n % 4 + 1}
                for n in range(1, POSTS + 1)
            ],
        )
        connection.execute(
            insert(Comment),
            [{"text": f"comment {n}", "post_id": n % POSTS + 1} for n in range(POSTS * COMMENTS)],
        )
    filler.dispose()
    engine = create_async_engine(database_url if driver == "asyncpg" else address)
    yield engine
    await engine.dispose()


async def first_post(session: AsyncSession) -> Post:
    """One post, of which nothing lazy is loaded."""
    return (await session.scalars(select(Post).where(Post.id == 1))).one()


@asynccontextmanager
async def locked(engine: AsyncEngine) -> AsyncIterator[None]:
    """Nobody can read comments meanwhile."""
    async with engine.connect() as connection:
        await connection.execute(text("LOCK TABLE journal_comment IN ACCESS EXCLUSIVE MODE"))
        yield


async def no_more(engine: AsyncEngine, condition: str) -> None:
    """Return once the server has no other backend on this database of which this is true."""
    query = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        f" AND pid <> pg_backend_pid() AND backend_type = 'client backend' AND {condition}"
    )
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")  # each look is a new one
        while (await connection.execute(query)).scalar_one():
            await asyncio.sleep(0.01)


async def waiting(engine: AsyncEngine) -> None:
    """Return once somebody waits for the lock."""
    held = "(SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    await no_more(engine, f"{held} AND wait_event_type = 'Lock') = 0")


async def is_clean(engine: AsyncEngine) -> bool:
    """Whether no connection is out, and the next session can read, once no backend is busy any more."""
    await no_more(engine, "state <> 'idle'")
    async with engine.connect() as connection:
        found = (await connection.execute(select(Comment.id))).all()
    return engine.pool.checkedout() == 0 and len(found) > 0  # type: ignore[attr-defined]
