"""What a nested response costs: a read model beside the ORM and beside asyncpg with JSON written by hand.

20 posts with their authors and 60 comments, as JSON bytes, on a real PostgreSQL. Slices of each variant
alternate in one process. CPU time is this process's; that of the PostgreSQL backend is told beside it. Like
is compared with like: a connection that is held, or one taken from a pool and given back each time.
"""

import asyncio
import os
import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import asyncpg
import psutil
from pydantic import BaseModel, ConfigDict, TypeAdapter
from sqlalchemy import DateTime, ForeignKey, create_engine, insert, select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, selectinload

from pitstop import read_model
from pitstop.servers import private_servers

ROUNDS = int(os.environ.get("ROUNDS", "60"))
REQUESTS = 20  # of a slice
POSTS = 20


class Base(DeclarativeBase):
    type_annotation_map = {datetime: DateTime(timezone=True)}  # noqa: RUF012


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    is_active: Mapped[bool]


class Post(Base):
    __tablename__ = "posts"
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    title: Mapped[str]
    body: Mapped[str]
    score: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(index=True)
    author: Mapped[User | None] = relationship()
    comments: Mapped[list["Comment"]] = relationship(order_by="Comment.id")


class Comment(Base):
    __tablename__ = "comments"
    id: Mapped[int] = mapped_column(primary_key=True)
    post_id: Mapped[int] = mapped_column(ForeignKey("posts.id"), index=True)
    body: Mapped[str]
    created_at: Mapped[datetime]


class UserOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: int
    name: str
    is_active: bool


class CommentOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: int
    body: str
    created_at: datetime


class PostOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: int
    title: str
    body: str
    score: int
    created_at: datetime
    author: UserOut | None
    comments: list[CommentOut]


BY_HAND = """
SELECT coalesce(json_agg(item), '[]')::text FROM (
  SELECT posts.id, posts.title, posts.body, posts.score, posts.created_at,
    (SELECT row_to_json(item) FROM (
      SELECT users.id, users.name, users.is_active FROM users
      WHERE users.id = posts.author_id) item) AS author,
    (SELECT coalesce(json_agg(item), '[]') FROM (
      SELECT comments.id, comments.body, comments.created_at FROM comments
      WHERE comments.post_id = posts.id ORDER BY comments.id) item) AS comments
  FROM posts ORDER BY posts.created_at DESC LIMIT $1) item
"""
LIST = TypeAdapter(list[PostOut])
NEWEST = read_model(Post, PostOut).order_by(Post.created_at.desc()).limit(POSTS)
ORM = (
    select(Post)
    .options(selectinload(Post.author), selectinload(Post.comments))
    .order_by(Post.created_at.desc())
    .limit(POSTS)
)

Ask = Callable[[], Awaitable[bytes]]


def fill(url: str) -> None:
    """1,000 posts of 100 users, three comments each."""
    engine = create_engine(url)
    Base.metadata.create_all(engine)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    users = [{"name": f"user {n}", "is_active": n % 3 > 0} for n in range(100)]
    posts = [
        {
            "author_id": n % 100 + 1,
            "title": f"title {n}",
            "body": "x" * 100,
            "score": n % 7,
            "created_at": start + timedelta(minutes=n),
        }
        for n in range(1000)
    ]
    comments = [
        {"post_id": n % 1000 + 1, "body": "y" * 80, "created_at": start + timedelta(seconds=n)}
        for n in range(3000)
    ]
    with engine.begin() as connection:
        for table, rows in ((User, users), (Post, posts), (Comment, comments)):
            connection.execute(insert(table), rows)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")
    engine.dispose()


async def _orm(session: AsyncSession) -> bytes:
    posts = (await session.scalars(ORM)).all()
    data = LIST.dump_json(LIST.validate_python(posts, from_attributes=True))
    session.expunge_all()
    return data


class Race:
    """The variants, each on connections of its own, and what they cost."""

    def __init__(self) -> None:
        self.cpu: dict[str, list[float]] = {}
        self.server: dict[str, float] = {}

    async def run(self, variants: dict[str, tuple[Ask, psutil.Process]]) -> None:
        names = list(variants)
        for number in range(ROUNDS + 2):
            first = number % len(names)
            for name in names[first:] + names[:first]:
                ask, backend = variants[name]
                await ask()
                theirs, before = sum(backend.cpu_times()[:2]), time.process_time()
                for _ in range(REQUESTS):
                    await ask()
                if number >= 2:
                    cost = (time.process_time() - before) / REQUESTS * 1e6
                    self.cpu.setdefault(name, []).append(cost)
                    spent = sum(backend.cpu_times()[:2]) - theirs
                    self.server[name] = self.server.get(name, 0.0) + spent / ROUNDS / REQUESTS * 1e6

    def median(self, name: str) -> float:
        return statistics.median(self.cpu[name])

    def table(self) -> None:
        for name in self.cpu:
            print(f"  {name:44} {self.median(name):8.0f} us {self.server[name]:8.0f} us")

    def ratio(self, name: str, to: str, limit: float) -> None:
        found = self.median(name) / self.median(to)
        print(f"  {name} / {to}: {found:.2f} (limit {limit:.2f}) {'ok' if found <= limit else 'MISSED'}")


async def _variants(url: str) -> None:
    engine = create_async_engine(url, pool_size=1, max_overflow=0)
    held, open_engine = create_async_engine(url), create_async_engine(url, isolation_level="AUTOCOMMIT")
    dsn = url.replace("+asyncpg", "")
    raw, pool = await asyncpg.connect(dsn), await asyncpg.create_pool(dsn, min_size=1, max_size=1)
    async with AsyncSession(held) as session, open_engine.connect() as connection:

        async def by_hand() -> bytes:
            return bytes((await raw.fetchval(BY_HAND, POSTS)).encode())

        async def by_hand_pool() -> bytes:
            async with pool.acquire() as one:
                return bytes((await one.fetchval(BY_HAND, POSTS)).encode())

        async def fresh_session() -> bytes:
            async with AsyncSession(engine) as fresh:
                return await NEWEST.fetch(fresh)

        async def fresh_orm() -> bytes:
            async with AsyncSession(engine) as fresh:
                return await _orm(fresh)

        pid = "SELECT pg_backend_pid()"
        in_pool = psutil.Process(await pool.fetchval(pid))
        async with engine.connect() as one:
            pooled = psutil.Process((await one.exec_driver_sql(pid)).scalar_one())
        in_session = psutil.Process((await (await session.connection()).exec_driver_sql(pid)).scalar_one())
        alone = psutil.Process((await connection.exec_driver_sql(pid)).scalar_one())
        race = Race()
        await race.run(
            {
                "by hand, held": (by_hand, psutil.Process(raw.get_server_pid())),
                "read model, held connection": (lambda: NEWEST.fetch(connection), alone),
                "read model, session": (lambda: NEWEST.fetch(session), in_session),
                "ORM + selectinload, session": (lambda: _orm(session), in_session),
                "by hand, asyncpg pool": (by_hand_pool, in_pool),
                "read model, engine": (lambda: NEWEST.fetch(engine), pooled),
                "read model, new session": (fresh_session, pooled),
                "ORM + selectinload, new session": (fresh_orm, pooled),
            }
        )
    await asyncio.gather(raw.close(), pool.close(), *(each.dispose() for each in (engine, held, open_engine)))
    _report(race)


def _report(race: Race) -> None:
    print(f"\nread_model: {POSTS} posts, their authors and {3 * POSTS} comments as JSON bytes")
    print(f"  median of {ROUNDS} alternating slices of {REQUESTS}{'':10} CPU here   CPU backend")
    race.table()
    race.ratio("read model, session", "ORM + selectinload, session", 1 / 6)
    race.ratio("read model, new session", "ORM + selectinload, new session", 1 / 6)
    race.ratio("read model, held connection", "by hand, held", 1.3)
    race.ratio("read model, engine", "by hand, asyncpg pool", 1.3)
    race.ratio("read model, session", "by hand, held", 2.5)
    race.ratio("read model, new session", "by hand, asyncpg pool", 2.5)


def main() -> None:
    with private_servers(redis=False) as servers:
        fill(servers.sync_database_url)
        asyncio.run(_variants(servers.database_url))


if __name__ == "__main__":
    main()
