"""The row behind a cached item: read and changed by a driver, or by SQLAlchemy sessions."""

from typing import Protocol

import asyncpg
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

__all__ = ["Desk", "Item", "Plain", "Sessions"]


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int]


class Desk(Protocol):
    """Who reads and changes rows."""

    async def read(self, key: int) -> int:
        """The version of a row, in a transaction of its own."""
        ...

    async def change(self, key: int, version: int) -> None:
        """Give a row another version and commit."""
        ...


class Plain:
    """asyncpg: the least that can lie between a COMMIT and what follows it."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def read(self, key: int) -> int:
        return await self._pool.fetchval("SELECT version FROM items WHERE id = $1", key)

    async def change(self, key: int, version: int) -> None:
        await self._pool.execute("UPDATE items SET version = $2 WHERE id = $1", key, version)


class Sessions:
    """Sessions, for caches that take part in a commit."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def read(self, key: int) -> int:
        async with AsyncSession(self._engine) as session:
            return (await session.scalars(select(Item.version).where(Item.id == key))).one()

    async def change(self, key: int, version: int) -> None:
        async with AsyncSession(self._engine) as session:
            item = await session.get_one(Item, key)
            item.version = version
            await session.commit()
