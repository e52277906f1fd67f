"""What a load has read decides whether its value may be kept."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from pitstop.cache import Cache


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "watched_item"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Shop:
    """One row, a cached function that is given a session, and how often it was called."""

    def __init__(self, engine: AsyncEngine, cache: Cache) -> None:
        self.engine = engine
        self.cache = cache
        self.calls = 0

        @cache.cached(ttl=60, tags=["item:{item_id}"], ignore=["session"])
        async def name(item_id: int, session: AsyncSession) -> str | None:
            self.calls += 1
            item = await session.get(Item, item_id)
            return None if item is None else item.name

        self.name = name
        cache.invalidate_on_commit(Item, tags=["item:{id}"])

    async def rename(self, name: str) -> None:
        async with AsyncSession(self.engine) as session:
            (await session.get_one(Item, 1)).name = name
            await session.commit()

    async def fresh(self) -> str | None:
        async with AsyncSession(self.engine) as session:
            return await self.name(1, session)

    async def is_kept(self) -> bool:
        before = self.calls
        await self.fresh()
        return self.calls == before

    @property
    def reasons(self) -> dict[str, int]:
        return self.cache.stats().namespaces["default"].unfilled


@pytest.fixture
async def shop(database_url: str, redis_url: str) -> AsyncIterator[Shop]:
    engine = create_async_engine(database_url)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
        await connection.execute(sa.insert(Item).values(id=1, name="old"))
    async with Cache(redis_url, namespace=uuid.uuid4().hex, lease=1.0, soft_timeout=2.0) as cache:
        yield Shop(engine, cache)
    await engine.dispose()


@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
@pytest.mark.parametrize("changed", [False, True])
async def test_a_transaction_that_began_before(shop: Shop, level: Any, changed: bool) -> None:
    """What is read in an older transaction is kept only if nothing changed since that began."""
    engine = shop.engine.execution_options(isolation_level=level)
    async with AsyncSession(engine) as session:
        await session.scalar(sa.select(sa.func.count()).select_from(Item))  # the snapshot is taken here
        if changed:
            await shop.rename("new")
        assert await shop.name(1, session) == (
            "old" if changed and level != "READ COMMITTED" else await plain(shop)
        )
    assert await shop.is_kept() is not changed
    assert await shop.fresh() == await plain(shop)


async def plain(shop: Shop) -> str | None:
    async with AsyncSession(shop.engine) as session:
        return await session.scalar(sa.select(Item.name))


@pytest.mark.parametrize("flushed", [False, True])
async def test_what_is_not_committed_is_not_kept(shop: Shop, flushed: bool) -> None:
    """A session with changes fills nothing; after its rollback nobody sees them."""
    async with AsyncSession(shop.engine) as session:
        (await session.get_one(Item, 1)).name = "mine"
        if flushed:
            await session.flush()
        assert await shop.name(1, session) == "mine"
        await session.rollback()
    assert not await shop.is_kept()
    assert await shop.fresh() == "old"


async def test_what_another_part_of_the_transaction_wrote_is_not_kept(shop: Shop) -> None:
    """A statement that wrote makes everything that its transaction reads its own."""
    async with AsyncSession(shop.engine) as session:
        await session.execute(sa.text("UPDATE watched_item SET name = 'mine'"))
        assert await shop.name(1, session) == "mine"
        await session.rollback()
    assert await shop.fresh() == "old"


async def test_objects_from_before_are_not_kept(shop: Shop) -> None:
    """A session that keeps its objects over a commit may answer from them: nothing of that is kept."""
    async with AsyncSession(shop.engine, expire_on_commit=False) as session:
        kept = await session.get_one(Item, 1)  # else it is gone from the session
        await session.commit()
        await shop.rename("new")
        assert await shop.name(1, session) == kept.name == "old"
    assert await shop.fresh() == "new"
    assert "its session had objects from before" in shop.reasons


async def test_objects_of_this_transaction_are_as_old_as_it(shop: Shop) -> None:
    """An answer from the session's own objects, without a statement, is as old as its transaction."""
    async with AsyncSession(shop.engine) as session:
        kept = await session.get_one(Item, 1)  # else it is gone from the session
        await shop.rename("new")
        assert await shop.name(1, session) == kept.name == "old"
    assert await shop.fresh() == "new"


async def test_the_first_use_of_a_session_is_kept(shop: Shop) -> None:
    """A transaction that begins within the call is kept: that is how a request uses its session."""
    assert await shop.fresh() == "old"
    assert await shop.is_kept()
    assert shop.reasons == {}
