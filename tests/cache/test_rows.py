"""Automatic tags by row: only where one select reads one row, and its key is written in one way."""

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import CITEXT
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, aliased, mapped_column

from pitstop.cache import Cache

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
ID = uuid.UUID("6fa459ea-ee8a-3ca4-894e-db77e160355e")


class Base(DeclarativeBase):
    pass


class Part(Base):
    """A row of each kind of key; ``of`` is another part."""

    __tablename__ = "part"
    id: Mapped[int] = mapped_column(primary_key=True)
    of: Mapped[int | None] = mapped_column(sa.ForeignKey("part.id"))
    name: Mapped[str] = mapped_column(default="old")


def keyed(name: str, kind: Any) -> sa.Table:
    columns = sa.Column("id", kind, primary_key=True), sa.Column("name", sa.String)
    return sa.Table(f"by_{name}", Base.metadata, *columns)


# what is stored, and another way to ask for it
KEYS: dict[str, tuple[sa.Table, Any, Any]] = {
    "number": (keyed("number", sa.Numeric(10, 2)), Decimal("5.00"), 5),
    "float": (keyed("float", sa.Integer), 5, 5.0),
    "padded": (keyed("padded", sa.CHAR(5)), "ab   ", "ab"),
    "case": (keyed("case", CITEXT), "Ab", "AB"),
    "moment": (
        keyed("moment", sa.DateTime(timezone=True)),
        MOMENT,
        MOMENT.astimezone(timezone(timedelta(hours=9))),
    ),
    "uuid as text": (keyed("uuid", sa.Uuid(as_uuid=False)), str(ID), str(ID).upper()),
}
OTHER = aliased(Part)
SHAPES: dict[str, sa.Select[Any]] = {
    "join": sa.select(Part.name, OTHER.name).join(OTHER, OTHER.of == Part.id).where(OTHER.id == 2),
    "join the other way": sa.select(Part.name, OTHER.name)
    .join(OTHER, OTHER.of == Part.id)
    .where(Part.id == 1),
    "count beside a row": sa.select(Part.name, sa.select(sa.func.count(OTHER.id)).scalar_subquery()).where(
        Part.id == 1
    ),
    "exists": sa.select(Part.name).where(Part.id == 1, sa.exists().where(OTHER.name == "new")),
}


@pytest.fixture
def engine(sync_database_url: str) -> Iterator[sa.Engine]:
    engine = sa.create_engine(sync_database_url)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE EXTENSION IF NOT EXISTS citext"))
        Base.metadata.create_all(connection)
        connection.execute(sa.insert(Part), [{"id": 1, "of": None}, {"id": 2, "of": 1}])
        for table, key, _ in KEYS.values():
            connection.execute(sa.insert(table), {"id": key, "name": "old"})
    yield engine
    engine.dispose()


def reading(cache: Cache, engine: sa.Engine, statement: sa.Select[Any]) -> Callable[[], list[list[Any]]]:
    @cache.cached(ttl=60, track=True)
    def rows() -> list[list[Any]]:
        with Session(engine) as session:
            return [list(each) for each in session.execute(statement)]

    return rows


@pytest.mark.parametrize("kind", KEYS)
async def test_a_key_in_another_spelling_reads_what_was_written(engine: sa.Engine, kind: str) -> None:
    """A value found by 5 is dropped by a change of the row 5.00, and so on for text and moments."""
    table, key, asked = KEYS[kind]
    row = type("Row", (DeclarativeBase,), {})
    row = type("Stored", (row,), {"__table__": table})
    async with Cache() as cache:
        read = reading(cache, engine, sa.select(table.c.name).where(table.c.id == asked))
        assert read() == [["old"]]
        with Session(engine) as session:
            session.get_one(row, key).name = "new"
            session.commit()
        assert read() == [["new"]]


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_table_that_is_read_twice_is_read_as_a_whole(engine: sa.Engine, shape: str) -> None:
    """A key in a self-join or beside a subquery names one row, and other rows of the table count as well."""
    async with Cache() as cache:
        read = reading(cache, engine, SHAPES[shape])
        read()
        with Session(engine) as session:
            session.get_one(Part, 1).name = "new"
            session.add(Part(id=3, of=1, name="new"))
            session.commit()
        with engine.connect() as connection:
            assert read() == [list(each) for each in connection.execute(SHAPES[shape])]
        with Session(engine) as session:
            session.get_one(Part, 2).name = "newer"
            session.commit()
        with engine.connect() as connection:
            assert read() == [list(each) for each in connection.execute(SHAPES[shape])]


async def test_another_row_leaves_a_row_alone(engine: sa.Engine) -> None:
    """A look-up by a plain key depends on its row, not on the table."""
    async with Cache() as cache:
        read = reading(cache, engine, sa.select(Part.name, sa.func.upper(Part.name)).where(Part.id == 1))
        read()
        with Session(engine) as session:
            session.get_one(Part, 2).name = "new"
            session.commit()
        read()
        assert cache.stats().namespaces["default"].loads == 1
