"""Every shape of relation reads the same with peer loading, in as many statements as it has levels."""

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session

from pitstop import Queries, count_queries, peer_loading
from tests.sql.peers.graph import of_session, plain
from tests.sql.peers.shapes import SHAPES, Shape

each_shape = pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)


def read(session: Session, shape: Shape) -> tuple[Any, Any, Queries]:
    """What an application sees, and how many statements it took."""
    with count_queries(session) as queries:
        found = shape.walk(session)
    return plain(found), of_session(session), queries


def compare(lazily: Any, together: Any, shape: Shape) -> None:
    """Fail where an application could tell one from the other, but for the number of statements."""
    assert together[0] == lazily[0]
    assert lazily[1][1] == together[1][1]
    assert {key: together[1][0].get(key) for key in lazily[1][0]} == lazily[1][0]
    assert (lazily[2].count, together[2].count) == (shape.lazily, shape.together)
    if shape.complete and shape.together < shape.lazily:
        assert together[2].n_plus_one == []


@pytest.fixture(autouse=True)
def no_collection() -> Iterator[None]:
    """What a session still holds of what nobody keeps depends on when cycles are collected: never, here."""
    gc.disable()
    yield
    gc.enable()


@each_shape
def test_sync(both: Engine, shape: Shape) -> None:
    """The same instances, values, order and state of the session; fewer statements, none of them an N+1."""
    with Session(both) as session:
        lazily = read(session, shape)
    with Session(both) as session, peer_loading(session):
        compare(lazily, read(session, shape), shape)


@each_shape
async def test_async(both_async: AsyncEngine, shape: Shape) -> None:
    """The same through run_sync of an async session."""
    async with AsyncSession(both_async) as session:
        lazily = await session.run_sync(read, shape)
    async with AsyncSession(both_async) as session:
        with peer_loading(session):
            compare(lazily, await session.run_sync(read, shape), shape)
