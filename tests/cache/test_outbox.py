"""The outbox: what was committed while Redis was away reaches every process, whoever lives to tell it."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, column, create_engine, select, table, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from pitstop.cache import Cache
from pitstop.cache.databases import database_of
from pitstop.cache.outbox import _Feed, outbox_sql, writable
from pitstop.cache.triggers import apply, install_ddl
from pitstop.postgres.address import libpq_url, psycopg_url
from tests.cache.server import OwnRedis
from tests.cache.wait import eventually

WRITER = Path(__file__).with_name("outbox_writer.py")


@pytest.fixture
def model() -> Any:
    """A model of this test alone: what a test has a cache do on commit is done for as long as the process."""

    class Base(DeclarativeBase):
        """The root of the model."""

    class Order(Base):
        """Something that is changed while Redis is away."""

        __tablename__ = "orders"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str]

    return Order


@pytest.fixture
def open_cache(own_redis: OwnRedis) -> Iterator[Callable[[], Cache]]:
    """Makes caches on the test's own Redis, and closes them."""
    caches = []

    def opened() -> Cache:
        caches.append(Cache(own_redis.url))
        return caches[-1]

    yield opened
    for cache in caches:
        asyncio.run(cache.close())


@pytest.fixture
def database(sync_database_url: str) -> Iterator["psycopg.Connection[Any]"]:
    """A database with an order and an outbox, as a connection of its own sees it."""
    with psycopg.connect(libpq_url(sync_database_url), autocommit=True) as connection:
        connection.execute("CREATE TABLE orders (id integer PRIMARY KEY, name text NOT NULL)")
        connection.execute("INSERT INTO orders VALUES (7, 'old')")
        apply(connection, install_ddl(connection))
        yield connection


@pytest.fixture
def engine(sync_database_url: str) -> Iterator[Engine]:
    engine = create_engine(psycopg_url(sync_database_url))
    yield engine
    engine.dispose()


@pytest.fixture
async def async_engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(database_url)
    yield engine
    await engine.dispose()


@pytest.fixture
def writing_cache(open_cache: Callable[[], Cache], model: Any) -> Cache:
    """A cache that takes part in the commits of orders."""
    cache = open_cache()
    cache.invalidate_on_commit(model, tags=["order:{id}"])
    return cache


def rows(database: "psycopg.Connection[Any]") -> list[list[str]]:
    return [tags for (tags,) in database.execute("SELECT tags FROM pitstop_outbox ORDER BY id").fetchall()]


def relays() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "pitstop-cache-outbox"}


def rename(engine: Engine, model: Any, name: str) -> None:
    with Session(engine) as session:
        order = session.get(model, 7)
        assert order is not None
        order.name = name
        session.commit()


def reader_of(cache: Cache, engine: Engine) -> Callable[[int], str]:
    @cache.cached(ttl=600, tags=["order:{order_id}"])
    def name_of(order_id: int) -> str:
        with Session(engine) as session:
            return session.scalars(select(column("name")).select_from(table("orders"))).one()

    return name_of


def test_a_row_waits_while_redis_is_away(
    own_redis: OwnRedis,
    writing_cache: Cache,
    engine: Engine,
    database: "psycopg.Connection[Any]",
    model: Any,
) -> None:
    """A commit without Redis leaves its tags in the table; when Redis is back they are taken out."""
    cache = writing_cache
    name_of = reader_of(cache, engine)
    assert name_of(7) == "old"
    own_redis.stop()
    rename(engine, model, "new")
    assert rows(database) == [["t:order:7"]]
    assert name_of(7) == "new"
    own_redis.start()
    eventually(lambda: not rows(database), "the outbox is empty")
    eventually(lambda: cache.stats().up, "the cache uses Redis")
    assert name_of(7) == "new"


async def test_an_async_session_uses_it_too(
    own_redis: OwnRedis,
    open_cache: Callable[[], Cache],
    async_engine: AsyncEngine,
    database: "psycopg.Connection[Any]",
    model: Any,
) -> None:
    """The same with asyncpg: the row is written by the session's connection, read by one of psycopg."""
    async with open_cache() as cache:
        cache.invalidate_on_commit(model, tags=["order:{id}"])
        own_redis.stop()
        async with AsyncSession(async_engine) as session:
            session.add(model(id=8, name="eight"))
            await session.commit()
        assert rows(database) == [["t:order:8"]]
        own_redis.start()
        eventually(lambda: not rows(database), "the outbox is empty")


def test_a_rollback_leaves_no_row(
    own_redis: OwnRedis,
    writing_cache: Cache,
    engine: Engine,
    database: "psycopg.Connection[Any]",
    model: Any,
) -> None:
    """The tags are part of the transaction: what is not committed is not told."""
    own_redis.stop()
    database.execute("ALTER TABLE orders ADD CONSTRAINT late UNIQUE (name) DEFERRABLE INITIALLY DEFERRED")
    with Session(engine) as session:
        session.add(model(id=8, name="old"))  # refused by the deferred constraint, at COMMIT
        with pytest.raises(Exception, match="late"):
            session.commit()
    assert rows(database) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("DROP TABLE pitstop_outbox CASCADE", "1 tags wait in this process"),
        ("ALTER TABLE pitstop_outbox ADD CHECK (namespace = 'another')", "does not take 1 tags"),
    ],
    ids=["not installed", "refuses"],
)
@pytest.mark.usefixtures("writing_cache")
def test_an_outbox_that_cannot_be_written_does_not_refuse_the_commit(
    own_redis: OwnRedis,
    engine: Engine,
    database: "psycopg.Connection[Any]",
    caplog: pytest.LogCaptureFixture,
    model: Any,
    change: str,
    told: str,
) -> None:
    """The commit succeeds, and the log says that this process alone knows of it."""
    database.execute(change.encode())
    own_redis.stop()
    rename(engine, model, "new")
    assert told in caplog.text
    assert database.execute("SELECT name FROM orders").fetchall() == [("new",)]


def test_another_process_tells_for_one_that_was_killed(
    own_redis: OwnRedis,
    open_cache: Callable[[], Cache],
    engine: Engine,
    sync_database_url: str,
    database: "psycopg.Connection[Any]",
) -> None:
    """A writer commits while Redis is frozen and is killed: who comes back takes its row first."""
    cache = open_cache()
    name_of = reader_of(cache, engine)
    assert name_of(7) == "old"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(WRITER), own_redis.url, psycopg_url(sync_database_url)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        own_redis.freeze()
        writer.stdin.write(b"\n")
        writer.stdin.flush()
        assert writer.stdout.readline() == b"committed\n"
        writer.send_signal(signal.SIGKILL)
    assert rows(database) == [["t:order:7"]]
    own_redis.thaw()
    eventually(lambda: cache.stats().up, "the cache uses Redis")
    assert name_of(7) == "new"
    eventually(lambda: not rows(database), "the outbox is empty")


def test_nothing_is_trusted_while_a_writer_is_at_it(
    own_redis: OwnRedis, open_cache: Callable[[], Cache], engine: Engine, database: "psycopg.Connection[Any]"
) -> None:
    """A process that finds Redis again waits for a writer that is between its row and its COMMIT."""
    cache = open_cache()
    name_of = reader_of(cache, engine)
    assert name_of(7) == "old"
    with engine.connect() as writer:
        writer.execute(text("UPDATE orders SET name = 'new'"))
        writer.execute(text(outbox_sql("outbox_store")), {"namespace": "pitstop", "tags": ["t:order:7"]})
        own_redis.restart()
        eventually(lambda: cache._coherence is not None and cache._coherence.is_held, "a lease is held")
        for _ in range(20):
            assert not cache.stats().up
            assert name_of(7) == "old"
            time.sleep(0.02)
        writer.commit()
    assert name_of(7) == "new"
    eventually(lambda: cache.stats().up, "the cache uses Redis")
    assert name_of(7) == "new"


def test_an_unfinished_drain_puts_the_rows_back(
    open_cache: Callable[[], Cache], engine: Engine, database: "psycopg.Connection[Any]"
) -> None:
    """Rows taken out under a lease that is lost meanwhile are there again, for the next lease."""
    cache = open_cache()
    reader_of(cache, engine)(7)
    outbox = cache._outbox
    assert outbox is not None
    database_of_engine = database_of(engine)
    assert database_of_engine is not None
    relays = [feed.thread for feed in outbox._feeds.values() if feed.thread is not None]
    outbox.close()
    for relay in relays:  # none takes them meanwhile
        relay.join(30)
    database.execute("INSERT INTO pitstop_outbox (namespace, tags) VALUES ('pitstop', '{t:order:7}')")
    assert outbox.drain(database_of_engine, holder=b"another") is False
    assert rows(database) == [["t:order:7"]]
    assert outbox.drain(database_of_engine, holder=outbox._coherence.holder) is True
    assert rows(database) == []


def test_rows_of_other_caches_stay(
    open_cache: Callable[[], Cache], engine: Engine, database: "psycopg.Connection[Any]"
) -> None:
    """Two caches share a table: each takes its own."""
    database.execute(
        "INSERT INTO pitstop_outbox (namespace, tags) VALUES ('pitstop', '{t:a}'), ('another', '{t:b}')"
    )
    cache = open_cache()
    reader_of(cache, engine)(7)
    eventually(lambda: rows(database) == [["t:b"]], "the row of this cache is taken")


async def test_a_closed_cache_has_no_threads(
    open_cache: Callable[[], Cache],
    engine: Engine,
    sync_database_url: str,
    database: "psycopg.Connection[Any]",
) -> None:
    """Who has closed a cache pays nothing for it: engines that are used later begin no thread."""
    before = relays()
    cache = open_cache()
    assert reader_of(cache, engine)(7) == "old"
    eventually(lambda: relays() - before, "the relay has begun")
    await cache.close()
    another = create_engine(f"{sync_database_url}?application_name=another")
    with another.connect() as connection:
        connection.execute(text("SELECT 1"))
        eventually(lambda: not relays() - before, "the relay has ended")
    another.dispose()


async def test_a_named_outbox_is_drained_before_the_first_use(
    open_cache: Callable[[], Cache],
    engine: Engine,
    async_engine: AsyncEngine,
    database: "psycopg.Connection[Any]",
) -> None:
    """With ``use_outbox`` a new process trusts nothing in Redis before the rows of a dead one are told."""
    async with open_cache() as before:
        assert reader_of(before, engine)(7) == "old"
        assert before._outbox is not None
        before._outbox.close()
    database.execute("UPDATE orders SET name = 'new'")
    database.execute("INSERT INTO pitstop_outbox (namespace, tags) VALUES ('pitstop', '{t:order:7}')")
    after = open_cache()
    after.use_outbox(async_engine)
    async with after:
        assert rows(database) == []
        assert reader_of(after, engine)(7) == "new"


def test_a_fence_succeeds_after_a_short_silence(
    own_redis: OwnRedis,
    writing_cache: Cache,
    engine: Engine,
    database: "psycopg.Connection[Any]",
    model: Any,
) -> None:
    """Redis answers again while a writer waits: its commit is fenced, and the row is not needed."""
    name_of = reader_of(writing_cache, engine)
    assert name_of(7) == "old"
    own_redis.freeze()
    thaw = subprocess.Popen(["sh", "-c", f"sleep 0.4; kill -CONT {own_redis.pid}"])
    rename(engine, model, "new")
    thaw.wait(10)
    assert rows(database) == []
    assert name_of(7) == "new"


async def test_a_database_that_is_gone_holds_nothing_up(
    open_cache: Callable[[], Cache], sync_database_url: str
) -> None:
    """An engine that the process has dropped, and whose database is gone, does not keep the cache waiting."""
    gone = database_of(create_engine(psycopg_url(f"{sync_database_url}_gone")))
    gc.collect()
    assert gone is not None
    assert not gone.is_used
    cache = open_cache()
    assert cache._outbox is not None
    cache._outbox._feeds[gone.url] = _Feed(gone)
    await cache.start(seconds=20)
    assert cache.stats().up


@pytest.mark.parametrize(
    ("tag", "kept"),
    [
        ("t:order:7", "t:order:7"),
        ("t:order:\0", "t:order"),
        ("t:order:\ud800", "t:order"),
        ("t:주문:칠", "t:주문:칠"),
    ],
)
def test_what_text_cannot_hold(tag: str, kept: str) -> None:
    """A tag that PostgreSQL cannot keep is told by its family, which every entry with the tag carries."""
    assert writable((tag,)) == [kept]
