"""Every type is written as the ORM, pydantic and msgspec write it."""

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session

from pitstop import read_model
from tests.sql.read_model.everything import (
    Base,
    Colour,
    HexOut,
    LooseOut,
    Mood,
    Size,
    Thing,
    ThingOut,
    ThingStruct,
)
from tests.sql.read_model.oracle import encoded, loaded

KOREA = dt.timezone(dt.timedelta(hours=9))
SEVERAL: dict[str, list[Any]] = {
    "small": [0, -32768],
    "big": [2**63 - 1, -(2**63)],
    "huge": [Decimal(10**39 + 1), Decimal(-7)],
    "yes": [True, False],
    "text": [
        "",
        'line\nbreak "quoted" \\ \x01\x1f\x7f tab\t',
        "한국어 😀 \u2028",
        "'; DROP TABLE thing; --",
        "100% :name $1 {x}",
    ],
    "number": [0.1, 5.0, -0.0, 1e22, 1e-7, 1.7976931348623157e308, float("nan"), float("inf"), float("-inf")],
    "ratio": [0.1, float("nan")],
    "plain": [1.5, 2.0],
    "price": [Decimal("1.10"), Decimal("0.00"), Decimal("-0.01"), Decimal("9999999999.99")],
    "fine": [
        Decimal("0E-12"),
        Decimal("1E-12"),
        Decimal("-0.000000123400"),
        Decimal("0.000001"),
        Decimal("12.5"),
    ],
    "free": [
        Decimal("1"),
        Decimal("1.500"),
        Decimal("0.0000000"),
        Decimal("1E-9"),
        Decimal("-1.234E-10"),
        Decimal(10**30 + 1),
        Decimal("0.0000010"),
    ],
    "at": [
        dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        dt.datetime(2026, 7, 1, 23, 59, 59, 999999, tzinfo=KOREA),
        dt.datetime(1, 1, 2, 0, 0, 0, 120, tzinfo=dt.UTC),
    ],
    "local": [dt.datetime(2026, 1, 1), dt.datetime(9999, 12, 31, 1, 2, 3, 4000)],
    "day": [dt.date(1, 1, 2), dt.date(2026, 2, 28)],
    "clock": [dt.time(), dt.time(23, 59, 59, 120000)],
    "span": [
        dt.timedelta(),
        dt.timedelta(days=1, seconds=3661, microseconds=5),
        dt.timedelta(days=400),
        -dt.timedelta(days=400, seconds=7),
        dt.timedelta(hours=30),
        dt.timedelta(microseconds=-500000),
        dt.timedelta(days=366, minutes=1),
    ],
    "key": [uuid.UUID(int=5)],
    "data": [b"", b"abc", "é€".encode() * 40],
    "raw": [b"\x01"],
    "colour": [Colour.RED, Colour.BLUE],
    "size": [Size.SMALL, Size.LARGE],
    "mood": [Mood.GOOD],
    "loose": ["two"],
    "coded": ["r", "it's \\ blue"],
    "document": [{"a": [1, 2.5, None, "x\u20ac"], "b": {}}, [], "text", 7, True],
    "page": [{}, {"deep": {"er": [1]}}],
    "tags": [[], ["a", None, "b,c\"'{}"]],
    "counts": [[1, 2, 3], []],
    "grid": [[[1, 2], [3, 4]], []],
    "moments": [[], [dt.datetime(2026, 1, 1, 5, tzinfo=KOREA), None]],
    "prices": [[Decimal("0E-10"), Decimal("1.5000000000")], []],
    "floats": [[1.5, -2.0], []],
    "colours": [[Colour.BLUE, Colour.RED], []],
}


def things() -> list[Thing]:
    """One with nothing, and one for each value."""
    return [Thing(), *(Thing(**{name: value}) for name, values in SEVERAL.items() for value in values)]


def assert_same(found: bytes, expected: bytes) -> None:
    """Field by field, so that a failure says which."""
    rows, others = loaded(found), loaded(expected)
    assert len(rows) == len(others)
    different = [(row, other) for row, other in zip(rows, others, strict=True) if row != other]
    assert [
        (key, row.get(key), other.get(key))
        for row, other in different
        for key in row.keys() | other.keys()
        if row.get(key) != other.get(key)
    ] == []


@pytest.mark.parametrize("response", [ThingOut, LooseOut, HexOut, ThingStruct])
def test_as_the_orm_by_psycopg(sync_engine: Engine, response: type) -> None:
    """Every value of every column is the same JSON as by ORM and response model."""
    Base.metadata.create_all(sync_engine)
    with Session(sync_engine) as session:
        session.add_all(things())
        session.commit()
        rows = session.scalars(select(Thing).order_by(Thing.id)).all()
        assert_same(read_model(Thing, response).fetch_sync(session), encoded(rows, response))


@pytest.mark.parametrize("response", [ThingOut, LooseOut, HexOut, ThingStruct])
async def test_as_the_orm_by_asyncpg(engine: AsyncEngine, response: type) -> None:
    """The same by the other driver, wherever the server thinks it is."""
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with AsyncSession(engine) as session:
        session.add_all(things())
        await session.flush()
        session.expunge_all()  # what the database gives, whoever keeps the objects as they were made
        rows = (await session.scalars(select(Thing).order_by(Thing.id))).all()
        assert_same(await read_model(Thing, response).fetch(session), encoded(rows, response))
