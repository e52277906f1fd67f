"""What is loaded from a replica: kept if the replica had all that was committed, by nobody if it may lag."""

import asyncio
from collections.abc import Callable, Iterator

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from pitstop.cache import Cache
from pitstop.cache.triggers import apply, install_ddl
from pitstop.errors import SettingsError
from tests.cache.conftest import OpenCache
from tests.cache.replica import Replicated
from tests.cache.shop import Base, Order, Orders, fill, order_tags
from tests.cache.wait import eventually, until

Read = Callable[[int], int | None]


@pytest.fixture(scope="module")
def replicated() -> Iterator[Replicated]:
    """A primary with its replica, for the tests of this file."""
    servers = Replicated()
    try:
        yield servers.start()
    finally:
        servers.stop()


@pytest.fixture
def primary(replicated: Replicated) -> Iterator[sa.Engine]:
    """The primary, with the shop in it as it was filled; the replica has it too, and follows."""
    engine = sa.create_engine(_with("psycopg", replicated.primary_url))
    Base.metadata.drop_all(engine)
    fill(engine)
    replicated.follow()
    yield engine
    replicated.follow()
    engine.dispose()


@pytest.fixture
def replica(replicated: Replicated, primary: sa.Engine) -> Iterator[sa.Engine]:
    """The replica."""
    engine = sa.create_engine(_with("psycopg", replicated.replica_url))
    yield engine
    engine.dispose()


def _with(driver: str, url: str) -> str:
    return url.replace("postgresql:", f"postgresql+{driver}:")


def _reader(cache: Cache, orders: Orders) -> Read:
    cache.invalidate_on_commit(Order, tags=order_tags)

    @cache.cached(tags=["order:{order_id}"])
    def total(order_id: int) -> int | None:
        return orders.total(order_id)

    return total


def _set_total(engine: sa.Engine, total: int) -> None:
    with Session(engine) as session:
        session.get_one(Order, 3).total = total
        session.commit()


def _keeps(read: Read, orders: Orders) -> bool:
    """Whether a call is answered without a load, when one was made before it."""
    read(3)
    calls = orders.calls
    read(3)
    return orders.calls == calls


def test_replica_not_named(open_cache: OpenCache, replica: sa.Engine) -> None:
    """What is read on a standby that nobody named is kept by nobody, however little it lags."""
    cache, orders = open_cache(), Orders(replica)
    read = _reader(cache, orders)
    assert [read(3) for _ in range(3)] == [30, 30, 30]
    assert orders.calls == 3


def test_replica_that_lags(
    cache: Cache, replicated: Replicated, primary: sa.Engine, replica: sa.Engine
) -> None:
    """A replica that has not replayed a commit shows the old row, as to plain code, and then no more."""
    cache.use_replica(replica, primary=primary)
    orders = Orders(replica)
    read = _reader(cache, orders)
    eventually(lambda: _keeps(read, orders), "a value of a replica that has all is kept")
    replicated.hold()
    _set_total(primary, 31)
    assert [read(3), read(3)] == [30, 30] == [orders.total(3), orders.total(3)]
    replicated.follow()
    assert read(3) == 31
    eventually(lambda: _keeps(read, orders), "the new value is kept")
    assert read(3) == 31


def test_written_by_others(
    open_cache: OpenCache, replicated: Replicated, primary: sa.Engine, replica: sa.Engine
) -> None:
    """A load after a write that the cache was told of by hand is kept only with it."""
    cache = open_cache()
    cache.use_replica(replica, primary=primary, wait=0)
    orders = Orders(replica)
    read = _reader(cache, orders)
    replicated.hold()
    with primary.begin() as connection:
        connection.exec_driver_sql("update customer_order set total = 32 where id = 3")
    asyncio.run(cache.invalidate("order:3"))
    assert read(3) == 30
    replicated.follow()
    assert read(3) == 32


def test_objects_from_before(
    open_cache: OpenCache, replicated: Replicated, primary: sa.Engine, replica: sa.Engine
) -> None:
    """A session that holds what it read on a replica before the load gives nothing that is kept."""
    cache = open_cache()
    cache.use_replica(replica, primary=primary)

    @cache.cached(tags=["order:{order_id}"], ignore=["session"])
    def total(session: Session, order_id: int) -> int:
        return session.get_one(Order, order_id).total

    replicated.hold()
    _set_total(primary, 33)
    with Session(replica) as session:
        order = session.get_one(Order, 3)
        replicated.follow()
        assert total(session, 3) == order.total == 30
    with Session(replica) as session:
        assert total(session, 3) == 33


def test_one_snapshot(open_cache: OpenCache, primary: sa.Engine, replica: sa.Engine) -> None:
    """What is read at REPEATABLE READ is not kept: the snapshot is older than the answer of the replica."""
    cache = open_cache()
    cache.use_replica(replica, primary=primary)
    orders = Orders(replica.execution_options(isolation_level="REPEATABLE READ"))
    assert not _keeps(_reader(cache, orders), orders)


def test_primary_away(open_cache: OpenCache, replica: sa.Engine) -> None:
    """While the primary does not answer, what is read on the replica is returned and not kept."""
    cache = open_cache()
    nobody = sa.create_engine("postgresql+psycopg://pitstop@127.0.0.1:1/pitstop")
    cache.use_replica(replica, primary=nobody)
    orders = Orders(replica)
    read = _reader(cache, orders)
    assert not _keeps(read, orders)
    assert read(3) == 30


async def test_async_replica(open_cache: OpenCache, replicated: Replicated, primary: sa.Engine) -> None:
    """Async loads ask their replica too, with asyncpg, and many at once."""
    cache = open_cache()
    async_primary = create_async_engine(_with("asyncpg", replicated.primary_url))
    async_replica = create_async_engine(_with("asyncpg", replicated.replica_url))
    cache.use_replica(async_replica, primary=async_primary)
    cache.invalidate_on_commit(Order, tags=order_tags)
    calls = 0

    @cache.cached(tags=["order:{order_id}"])
    async def total(order_id: int) -> int | None:
        nonlocal calls
        calls += 1
        async with AsyncSession(async_replica) as session:
            return await session.scalar(sa.select(Order.total).where(Order.id == order_id))

    try:
        await asyncio.to_thread(replicated.hold)
        await asyncio.to_thread(_set_total, primary, 34)
        old = await asyncio.gather(*map(total, range(1, 5)))
        await asyncio.to_thread(replicated.follow)
        new = await asyncio.gather(*map(total, range(1, 5)))
        assert (old, new) == ([10, 20, 30, 40], [10, 20, 34, 40])
        await asyncio.gather(*map(total, range(1, 5)))
        seen = calls
        await until(lambda: calls == seen, "what was loaded is kept")
        await asyncio.gather(*map(total, range(1, 5)))
        assert calls == seen
    finally:
        await async_replica.dispose()
        await async_primary.dispose()


async def test_outbox_of_the_primary(
    open_cache: OpenCache, redis_url: str, primary: sa.Engine, replica: sa.Engine, replicated: Replicated
) -> None:
    """A standby with the table of the outbox is not waited for: rows are taken out at its primary."""
    with psycopg.connect(replicated.primary_url, autocommit=True) as connection:
        apply(connection, install_ddl(connection))
    await asyncio.to_thread(replicated.follow)
    cache = open_cache(redis=redis_url)
    cache.use_replica(replica, primary=primary)
    orders = Orders(replica)
    read = _reader(cache, orders)
    await asyncio.to_thread(orders.total, 3)
    await cache.start()
    await asyncio.to_thread(eventually, lambda: _keeps(read, orders), "the cache is trusted, and keeps")
    assert await asyncio.to_thread(read, 3) == 30


def test_no_postgresql(open_cache: OpenCache, primary: sa.Engine) -> None:
    """A replica that is no PostgreSQL is refused by its name."""
    sqlite = sa.create_engine("sqlite://")
    with pytest.raises(SettingsError, match="a replica needs PostgreSQL, this engine is of sqlite"):
        open_cache().use_replica(sqlite, primary=primary)
