"""Peer loading beside hand-written ``selectinload`` and plain lazy loads, and its cost where nothing is lazy.

On a real PostgreSQL through psycopg, each round in a session of its own, the forms taking turns; medians of
wall time. A round reads the posts, the comments of each and the author of each comment: 1 + N + M
statements lazily, 3 otherwise. The cost is CPU time of a select of 20 rows, with and without peer loading.
"""

import gc
import os
import statistics
import time
from collections.abc import Callable

from sqlalchemy import Engine, ForeignKey, create_engine, insert, select
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    mapped_column,
    relationship,
    selectinload,
    sessionmaker,
)

from pitstop import peer_loading
from pitstop.servers import private_servers

ROUNDS = int(os.environ.get("ROUNDS", "40"))
SIZES = (20, 100, 1_000)
AUTHORS = 50
COMMENTS = 3
LIMIT = 1.2
LIMIT_US = 10.0


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Comment(Base):
    __tablename__ = "comments"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
    post_id: Mapped[int] = mapped_column(ForeignKey("posts.id"), index=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"))
    author: Mapped[Author] = relationship()


class Post(Base):
    __tablename__ = "posts"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    body: Mapped[str]
    comments: Mapped[list[Comment]] = relationship(order_by=Comment.id)


def fill(engine: Engine) -> None:
    Base.metadata.create_all(engine)
    posts = range(1, max(SIZES) + 1)
    comments = range(1, max(SIZES) * COMMENTS + 1)
    with engine.begin() as connection:
        connection.execute(insert(Author), [{"id": n, "name": f"author {n}"} for n in range(1, AUTHORS + 1)])
        connection.execute(
            insert(Post), [{"id": n, "title": f"post {n}", "body": "words " * 20} for n in posts]
        )
        connection.execute(
            insert(Comment),
            [
                {
                    "id": n,
                    "text": f"comment {n}",
                    "post_id": (n - 1) // COMMENTS + 1,
                    "author_id": n % AUTHORS + 1,
                }
                for n in comments
            ],
        )
        connection.exec_driver_sql("ANALYZE")


def walk(make: Callable[[], Session], size: int, *, options: bool = False) -> float:
    """Milliseconds to read the posts with all that belongs to them."""
    statement = select(Post).order_by(Post.id).limit(size)
    if options:
        statement = statement.options(selectinload(Post.comments).selectinload(Comment.author))
    gc.collect()  # else the collector falls upon one of the forms, always the same
    started = time.perf_counter()
    with make() as session:
        read = sum(len(each.author.name) for post in session.scalars(statement) for each in post.comments)
    assert read > size
    return (time.perf_counter() - started) * 1000


def compare(plain: sessionmaker[Session], peers: sessionmaker[Session], size: int) -> None:
    forms: dict[str, Callable[[], float]] = {
        "peer loading": lambda: walk(peers, size),
        "selectinload": lambda: walk(plain, size, options=True),
        "plain lazy": lambda: walk(plain, size),
    }
    figures: dict[str, list[float]] = {name: [] for name in forms}
    for turn in range(ROUNDS):
        for name in list(forms)[:: 1 if turn % 2 else -1]:
            if name != "plain lazy" or turn % 4 == 0:  # it takes many times as long
                figures[name].append(forms[name]())
    peer, rival, lazy = (statistics.median(figures[name]) for name in forms)
    pairs = zip(figures["peer loading"], figures["selectinload"], strict=True)
    ratio = statistics.median(one / other for one, other in pairs)
    print(
        f"{size:5,} rows: peer loading {peer:7.2f} ms, selectinload {rival:7.2f} ms, plain {lazy:7.1f} ms; "
        f"{ratio:.2f}x selectinload in pairs (limit {LIMIT}x), plain {lazy / rival:.1f}x"
    )


def cpu_of_select(make: Callable[[], Session], times: int = 100) -> float:
    """CPU microseconds of a select of 20 rows, of which nothing lazy is touched."""
    statement = select(Post).order_by(Post.id).limit(20)
    with make() as session:
        session.scalars(statement).all()
        started = time.process_time()
        for _ in range(times):
            session.scalars(statement).all()
            session.expunge_all()
        return (time.process_time() - started) / times * 1e6


def cost(plain: sessionmaker[Session], peers: sessionmaker[Session]) -> None:
    without, with_it = [], []
    for turn in range(ROUNDS * 2):
        pair = ((without, plain), (with_it, peers))
        for figures, make in pair if turn % 2 else reversed(pair):
            figures.append(cpu_of_select(make))
    before, after = statistics.median(without), statistics.median(with_it)
    more = statistics.median(b - a for a, b in zip(without, with_it, strict=True))
    print(
        f"20-row select, nothing lazy: {before:.0f} us without, {after:.0f} us with peer loading: "
        f"+{more:.1f} us (limit {LIMIT_US:.0f} us)"
    )


def main() -> None:
    with private_servers() as servers:
        engine = create_engine(servers.sync_database_url)
        fill(engine)
        plain, peers = sessionmaker(engine), sessionmaker(engine)
        with peer_loading(peers):
            for size in SIZES:
                compare(plain, peers, size)
            cost(plain, peers)
        engine.dispose()
