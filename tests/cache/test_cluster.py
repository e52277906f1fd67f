"""The cache on a Redis Cluster: values, tokens, locks and leases lie on several nodes."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from pitstop.cache import Cache
from pitstop.cache.commands import Commands
from pitstop.cache.request import user_tag
from tests.cache.cluster import MASTERS, OwnCluster, owner_of
from tests.cache.conftest import OpenCache
from tests.cache.wait import SECONDS


class Base(DeclarativeBase):
    pass


class Thing(Base):
    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


@pytest.fixture
async def both(redis_cluster: OwnCluster) -> AsyncIterator[tuple[Cache, Cache]]:
    name = uuid.uuid4().hex
    async with (
        Cache(redis_cluster.url, namespace=name, soft_timeout=2.0) as here,
        Cache(redis_cluster.url, namespace=name, soft_timeout=2.0) as there,
    ):
        yield here, there


async def test_values_are_shared(both: tuple[Cache, Cache]) -> None:
    """What one process loads another has; callers of a cold key share one load."""
    loads = 0

    async def square(n: int) -> int:
        nonlocal loads
        loads += 1
        await asyncio.sleep(0.1)
        return n * n

    here, there = (each.cached(ttl=60, tags=["n:{n}", "odd:{n}"])(square) for each in both)
    assert await asyncio.gather(*[each(n) for n in range(12) for each in (here, there)]) == [
        n * n for n in range(12) for _ in both
    ]
    assert loads == 12
    assert [await there(n) for n in range(12)] == [n * n for n in range(12)]
    assert loads == 12


async def test_invalidation_reaches_every_process(both: tuple[Cache, Cache]) -> None:
    """A tag, a family, a key, a pattern and everything, each from the other process."""
    loads: list[int] = []

    async def same(n: int) -> int:
        loads.append(n)
        return n

    here, there = (each.cached(ttl=60, tags=["n:{n}"], key="same:{n}")(same) for each in both)

    async def loaded() -> list[int]:
        loads.clear()
        for n in range(6):
            assert await here(n) == await there(n) == n
        return list(loads)

    assert await loaded() == list(range(6))
    assert await loaded() == []
    await both[1].invalidate("n:3")
    assert await loaded() == [3]
    await both[0].invalidate("n")
    assert await loaded() == list(range(6))
    await there.invalidate(4)
    assert await loaded() == [4]
    assert await both[0].invalidate_pattern("same:*") == 6
    assert await loaded() == list(range(6))


async def test_plain_values(both: tuple[Cache, Cache]) -> None:
    """What is set here is read there, many at once, and dropped with its tags."""
    here, there = both
    assert await here.set_many({f"key {n}": n for n in range(20)}, tags=["all"])
    assert await there.get_many([f"key {n}" for n in range(21)]) == {f"key {n}": n for n in range(20)}
    assert await there.set("key 3", "new")
    assert await here.get("key 3") == "new"
    await here.invalidate("all")
    assert await there.get_many(["key 3", "key 4"]) == {"key 3": "new"}


async def test_a_commit_is_seen_everywhere(both: tuple[Cache, Cache], database_url: str) -> None:
    """After a commit no process gives what was before it, with tags by hand and automatic ones."""
    engine = create_async_engine(database_url)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
        await connection.execute(sa.insert(Thing).values(id=1, name="0"))

    async def name(n: int) -> str:
        async with AsyncSession(engine) as session:
            return (await session.get_one(Thing, n)).name

    for each in both:
        each.invalidate_on_commit(Thing, tags=["thing:{id}"])
    functions = [each.cached(ttl=60, namespace="hand", tags=["thing:{n}"])(name) for each in both]
    functions += [each.cached(ttl=60, namespace="auto", track=True)(name) for each in both]
    for n in range(1, 8):
        async with AsyncSession(engine) as session:
            (await session.get_one(Thing, 1)).name = str(n)
            await session.commit()
        assert [await each(1) for each in functions] == [str(n)] * 4
    await engine.dispose()


async def test_a_node_that_forgets_brings_nothing_back(
    own_cluster: OwnCluster, open_cache: OpenCache
) -> None:
    """A replica takes over without the last writes, the other nodes go on: nobody trusts its tokens."""
    for node in own_cluster.nodes:
        node.command("CONFIG", "SET", "cluster-require-full-coverage", "no")
    name = uuid.uuid4().hex
    here, there = (open_cache(redis=own_cluster.url, namespace=name, local_items=0) for _ in range(2))
    await here.start()
    await there.start()
    tag = next(tag for tag in map(str, range(1000)) if owner_of(Commands(name).token(user_tag(tag))) == 0)
    assert owner_of(Commands(name).epoch) != 0
    state = ["open"]

    async def state_of() -> str:
        return state[0]

    cached = there.cached(ttl=600, tags=[tag])(state_of)
    assert [await cached(), await cached()] == ["open", "open"]
    victim, heir = own_cluster.nodes[0], own_cluster.nodes[MASTERS]
    heir.freeze()
    victim.command("CLIENT", "KILL", "TYPE", "replica")
    state[0] = "paid"
    await here.invalidate(tag)
    victim.stop(kill=True)
    heir.thaw()
    own_cluster.settle()
    hits = there.stats().namespaces["default"].redis_hits
    end = time.monotonic() + SECONDS
    while there.stats().namespaces["default"].redis_hits == hits:
        assert await cached() == "paid"
        assert time.monotonic() < end, f"not kept again within {SECONDS:g} s"
        await asyncio.sleep(0.01)
    assert await cached() == "paid"
