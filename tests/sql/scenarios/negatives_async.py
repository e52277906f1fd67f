"""Asynchronous work that repeats for a reason. All must stay silent."""

import asyncio
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from tests.sql.scenarios.models import Author, Comment, Node, Note, Parcel, Post, Tag
from tests.sql.scenarios.record import Scenario, make_negative

SCENARIOS: list[Scenario] = []
negative = make_negative(SCENARIOS)


@negative()
async def async_keyset_pages(session: AsyncSession, options: Any = ()) -> Any:
    last = 0
    statement = select(Parcel).order_by(Parcel.id).limit(200)
    while rows := (await session.scalars(statement.where(Parcel.id > last))).all():
        last = rows[-1].id


@negative()
async def async_selectinload_in_chunks(session: AsyncSession, options: Any = ()) -> Any:
    parcels = await session.scalars(select(Parcel).options(selectinload(Parcel.stops)))
    assert sum(len(parcel.stops) for parcel in parcels) == 1100


@negative()
async def async_stream_in_partitions(session: AsyncSession, options: Any = ()) -> Any:
    stream = await session.stream_scalars(select(Parcel).execution_options(yield_per=200))
    assert sum([len(rows) async for rows in stream.partitions()]) == 1100


@negative()
async def async_poll(session: AsyncSession, options: Any = ()) -> Any:
    for _ in range(6):
        await session.scalar(select(func.count()).where(Note.state == "ready"))
        await asyncio.sleep(0)


@negative()
async def gathered_different_statements(session: AsyncSession, options: Any = ()) -> Any:
    engine = session.bind

    async def count(entity: type[Any]) -> int | None:
        async with AsyncSession(engine) as own:
            return await own.scalar(select(func.count()).select_from(entity))

    assert all(await asyncio.gather(*[count(entity) for entity in (Author, Post, Comment, Tag, Node)]))


@negative()
async def gathered_different_lines(session: AsyncSession, options: Any = ()) -> Any:
    engine = session.bind

    async def author(number: int) -> Author | None:
        async with AsyncSession(engine) as own:
            return await own.get(Author, number)

    one, two = await asyncio.gather(author(1), author(2))
    assert one
    assert two


@negative()
async def awaitable_parents_upwards(session: AsyncSession, options: Any = ()) -> Any:
    node = await session.get_one(Node, 10)
    names = []
    while node is not None:
        names.append(node.name)
        node = await node.awaitable_attrs.parent
    assert names == ["node 10", "node 4", "node 1"]


@negative()
async def awaitable_relations_of_one(session: AsyncSession, options: Any = ()) -> Any:
    author = await session.get_one(Author, 1)
    assert await author.awaitable_attrs.posts
    assert await author.awaitable_attrs.profile
    assert await author.awaitable_attrs.circles


@negative()
async def async_writes_and_refreshes(session: AsyncSession, options: Any = ()) -> Any:
    for number in range(5):
        note = Note(text=f"note {number}")
        session.add(note)
        await session.commit()
        await session.refresh(note)


@negative()
async def awaitable_pairs_on_two_lines(session: AsyncSession, options: Any = ()) -> Any:
    buyer = await session.get_one(Author, 1)
    seller = await session.get_one(Author, 2)
    assert await buyer.awaitable_attrs.posts
    assert await seller.awaitable_attrs.posts
