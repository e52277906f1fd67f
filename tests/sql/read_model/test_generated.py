"""Generated models, responses and rows: a read model answers what objects and response models answer."""

import asyncio
import datetime as dt
import enum
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import Field, create_model
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    Engine,
    Enum,
    ForeignKey,
    Integer,
    Interval,
    LargeBinary,
    Numeric,
    Table,
    Text,
    Time,
    Uuid,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import Session, mapped_column, registry, relationship
from sqlalchemy.pool import NullPool

from pitstop import count_queries, read_model
from pitstop.sql import ReadModel
from tests.sql.read_model.oracle import encoded, loaded


class Colour(enum.Enum):
    """Stored by name, written by value."""

    RED = "it's red"
    BLUE = "b"


text = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=8)
plain_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=5,
)
day = st.dates(dt.date(1900, 1, 1))
moment = st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1))
cents = st.decimals(-(10**8), 10**8, places=2, allow_nan=False)
tiny = st.decimals(-10, 10, places=10, allow_nan=False)
small = st.integers(-(2**31), 2**31 - 1)

# name -> column type, annotation, values
KINDS: dict[str, tuple[Any, Any, st.SearchStrategy[Any]]] = {
    "int": (Integer, int, small),
    "big": (BigInteger, int, st.integers(-(2**63), 2**63 - 1)),
    "bool": (Boolean, bool, st.booleans()),
    "text": (Text, str, text),
    "float": (Double, float, st.floats()),
    "cents": (Numeric(12, 2), Decimal, cents),
    "tiny": (Numeric(20, 10), Decimal, tiny),
    "free": (Numeric, Decimal, tiny | cents),
    "at": (DateTime(timezone=True), dt.datetime, moment.map(lambda each: each.replace(tzinfo=dt.UTC))),
    "local": (DateTime, dt.datetime, moment),
    "day": (Date, dt.date, day),
    "clock": (Time, dt.time, st.times()),
    "span": (Interval, dt.timedelta, st.timedeltas(dt.timedelta(-(10**5)), dt.timedelta(10**5))),
    "uuid": (Uuid, uuid.UUID, st.uuids()),
    "bytes": (LargeBinary, bytes, text.map(str.encode)),
    "enum": (Enum(Colour, native_enum=False), Colour, st.sampled_from(Colour)),
    "json": (JSONB, Any, plain_json),
    "texts": (ARRAY(Text), list[str], st.lists(text, max_size=3)),
    "moneys": (ARRAY(Numeric(20, 10)), list[Decimal], st.lists(tiny, max_size=3)),
}
KEYS = [
    "id",
    "item",
    "value",
    "cursor",
    'a"b',
    "c'd",
    "100%",
    "e:f",
    "%s",
    "h\\i",
    "j k",
    "SELECT",
    "한글",
    "$1",
    "{}",
]
RELATIONS = ["one", "many", "both", "self"]


@dataclass(frozen=True)
class Spec:
    """A class: its columns with their JSON keys, and the classes that it is related to."""

    columns: tuple[tuple[str, bool, str], ...]
    children: tuple[tuple[str, "Spec"], ...]


columns = st.lists(
    st.tuples(st.sampled_from(sorted(KINDS)), st.booleans(), st.sampled_from(KEYS)), min_size=1, max_size=5
).map(lambda each: tuple({key: (kind, null, key) for kind, null, key in each}.values()))
specs = st.recursive(
    st.builds(Spec, columns, st.just(())),
    lambda inner: st.builds(
        Spec, columns, st.lists(st.tuples(st.sampled_from(RELATIONS), inner), max_size=2).map(tuple)
    ),
    max_leaves=4,
)


class Made:
    """The mapped classes and response models of a spec."""

    def __init__(self, structs: bool) -> None:
        self.registry = registry()
        self.structs = structs
        self.classes: list[tuple[Any, Spec]] = []
        self.links: list[Table] = []

    def build(self, spec: Spec) -> tuple[Any, Any]:
        """A class and its response."""
        number = len(self.classes)
        body: dict[str, Any] = {
            "__tablename__": f"made_{number}",
            "id": mapped_column(Integer, primary_key=True),
        }
        fields: list[tuple[str, Any, str]] = []
        for index, (kind, nullable, key) in enumerate(spec.columns):
            body[f"c{index}"] = mapped_column(KINDS[kind][0], nullable=nullable)
            annotation = KINDS[kind][1]
            fields.append((f"c{index}", annotation | None if nullable else annotation, key))
        self.classes.append((None, spec))
        for index, (how, child) in enumerate(spec.children):
            fields.append((f"r{index}", self.relate(body, number, index, how, child), f"r{index}"))
        made = self.registry.mapped(type(f"Made{number}", (), body))
        self.classes[number] = (made, spec)
        return made, self.response(number, fields)

    def relate(self, body: dict[str, Any], number: int, index: int, how: str, child: Spec) -> Any:
        name, own = f"r{index}", f"made_{number}.id"
        if how == "self":
            body[f"f{index}"] = mapped_column(ForeignKey(own), nullable=True)
            pair = f"Made{number}"
            body[name] = relationship(
                pair, primaryjoin=f"foreign({pair}.f{index}) == remote({pair}.id)", remote_side=f"{pair}.id"
            )
            response = self.response(f"{number}_{index}", [("id", int, "id")])
            return response | None
        other, response = self.build(child)
        if how == "one":
            body[f"f{index}"] = mapped_column(ForeignKey(other.id), nullable=True)
            body[name] = relationship(other, foreign_keys=[body[f"f{index}"]])
            return response | None
        link = Table(
            f"link_{number}_{index}",
            self.registry.metadata,
            Column("one", ForeignKey(own), primary_key=True),
            Column("two", ForeignKey(other.id), primary_key=True),
        )
        order = link.c.two.desc() if how == "both" else other.id
        body[name] = relationship(other, secondary=link, order_by=order)
        return list[response]  # type: ignore[valid-type]

    def response(self, number: object, fields: list[tuple[str, Any, str]]) -> Any:
        name = f"Out{number}"
        if self.structs:
            rename = {name: key.replace('"', "").replace("\\", "") for name, _, key in fields}
            return msgspec.defstruct(name, [(each, kind) for each, kind, _ in fields], rename=rename)
        made = {each: (kind, Field(serialization_alias=key)) for each, kind, key in fields}
        return create_model(name, **made)  # type: ignore[call-overload]

    def fill(self, session: Session, data: st.DataObject) -> None:
        """Rows of every class, and links between them."""
        rows: dict[Any, list[Any]] = {}
        for made, spec in reversed(self.classes):
            values = [
                st.none() | KINDS[kind][2] if null and kind != "json" else KINDS[kind][2]
                for kind, null, _ in spec.columns
            ]
            drawn = data.draw(st.lists(st.tuples(*values), max_size=4))
            rows[made] = [made(**{f"c{i}": value for i, value in enumerate(each)}) for each in drawn]
            session.add_all(rows[made])
            session.flush()
        for made, spec in self.classes:
            for index, (how, _) in enumerate(spec.children):
                self.link(rows, made, f"r{index}", how, data)
        session.commit()

    def link(self, rows: dict[Any, list[Any]], made: Any, name: str, how: str, data: st.DataObject) -> None:
        others = rows[made.__mapper__.relationships[name].mapper.class_]
        if not others:
            return
        for each in rows[made]:
            if how == "self":  # by key: a row may be its own, which a flush cannot order
                chosen = data.draw(st.none() | st.sampled_from(others))
                setattr(each, f"f{name[1:]}", chosen and chosen.id)
            elif how == "one":
                setattr(each, name, data.draw(st.none() | st.sampled_from(others)))
            else:
                setattr(each, name, data.draw(st.lists(st.sampled_from(others), unique_by=id, max_size=3)))


@contextmanager
def made(spec: Spec, structs: bool, engine: Engine) -> Iterator[tuple[Any, Any, Made]]:
    """The classes, their tables, and nothing of them afterwards."""
    maker = Made(structs)
    model, response = maker.build(spec)
    maker.registry.metadata.create_all(engine)
    try:
        yield model, response, maker
    finally:
        maker.registry.metadata.drop_all(engine)
        maker.registry.dispose()


def check(engine: Engine, spec: Spec, structs: bool, data: st.DataObject) -> None:
    with made(spec, structs, engine) as (model, response, maker), Session(engine) as session:
        maker.fill(session, data)
        expected = encoded(session.scalars(select(model).order_by(model.id)).all(), response)
        shown = read_model(model, response)
        for _ in range(2):
            with count_queries(session) as queries:
                found = shown.fetch_sync(session)
            assert queries.count == 1
            assert loaded(found) == loaded(expected)
        assert loaded(asyncio.run(by_asyncpg(engine, shown))) == loaded(expected)


async def by_asyncpg(engine: Engine, shown: ReadModel) -> bytes:
    """The same, by the driver itself."""
    other = create_async_engine(engine.url.set(drivername="postgresql+asyncpg"), poolclass=NullPool)
    await shown.fetch(other)
    return await shown.fetch(other)


QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]


@settings(max_examples=15, deadline=None, suppress_health_check=QUIET)
@given(spec=specs, structs=st.booleans(), data=st.data())
def test_some(sync_engine: Engine, spec: Spec, structs: bool, data: st.DataObject) -> None:
    """Fifteen models."""
    check(sync_engine, spec, structs, data)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@settings(max_examples=600, deadline=None, suppress_health_check=QUIET)
@given(spec=specs, structs=st.booleans(), data=st.data())
def test_many(sync_engine: Engine, spec: Spec, structs: bool, data: st.DataObject) -> None:
    """Six hundred models."""
    check(sync_engine, spec, structs, data)
