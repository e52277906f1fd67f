"""A table with a column of every type, and the response models that pydantic and msgspec have for it."""

import datetime as dt
import enum
import uuid
from decimal import Decimal
from typing import Any, Literal

import msgspec
from pydantic import BaseModel, ConfigDict
from sqlalchemy import (
    ARRAY,
    BigInteger,
    DateTime,
    Double,
    Enum,
    Float,
    Integer,
    LargeBinary,
    Numeric,
    SmallInteger,
    Text,
    Time,
)
from sqlalchemy.dialects.postgresql import BYTEA, JSONB
from sqlalchemy.dialects.postgresql import JSON as PG_JSON
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """The registry of these tests."""


class Colour(enum.Enum):
    """Stored by name, written by value."""

    RED = "r"
    BLUE = "it's \\ blue"


class Size(enum.IntEnum):
    """Stored by name, written as a number."""

    SMALL = 1
    LARGE = 20


class Mood(enum.StrEnum):
    """Stored by value."""

    GOOD = "good"
    BAD = "bad"


class Thing(Base):
    """Everything, each of it optional."""

    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    small: Mapped[int | None] = mapped_column(SmallInteger)
    big: Mapped[int | None] = mapped_column(BigInteger)
    huge: Mapped[Decimal | None] = mapped_column(Numeric(40, 0))
    yes: Mapped[bool | None]
    text: Mapped[str | None] = mapped_column(Text)
    short: Mapped[str | None]
    number: Mapped[float | None] = mapped_column(Double)
    ratio: Mapped[float | None] = mapped_column(Float)
    plain: Mapped[float | None] = mapped_column(Numeric(10, 3, asdecimal=False))
    price: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    fine: Mapped[Decimal | None] = mapped_column(Numeric(30, 12))
    free: Mapped[Decimal | None] = mapped_column(Numeric)
    at: Mapped[dt.datetime | None] = mapped_column(DateTime(timezone=True))
    local: Mapped[dt.datetime | None]
    day: Mapped[dt.date | None]
    clock: Mapped[dt.time | None] = mapped_column(Time)
    span: Mapped[dt.timedelta | None]
    key: Mapped[uuid.UUID | None]
    data: Mapped[bytes | None] = mapped_column(LargeBinary)
    raw: Mapped[bytes | None] = mapped_column(BYTEA)
    colour: Mapped[Colour | None]
    size: Mapped[Size | None]
    mood: Mapped[Mood | None] = mapped_column(
        Enum(Mood, values_callable=lambda kind: [each.value for each in kind])
    )
    loose: Mapped[str | None] = mapped_column(Enum("one", "two", name="loose"))
    coded: Mapped[str | None]
    document: Mapped[Any | None] = mapped_column(JSONB)
    page: Mapped[Any | None] = mapped_column(PG_JSON)
    tags: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    counts: Mapped[list[int] | None] = mapped_column(ARRAY(Integer))
    grid: Mapped[list[list[int]] | None] = mapped_column(ARRAY(Integer, dimensions=2))
    moments: Mapped[list[dt.datetime] | None] = mapped_column(ARRAY(DateTime(timezone=True)))
    prices: Mapped[list[Decimal] | None] = mapped_column(ARRAY(Numeric(20, 10)))
    floats: Mapped[list[float] | None] = mapped_column(ARRAY(Double))
    colours: Mapped[list[Colour] | None] = mapped_column(ARRAY(Enum(Colour, name="colour")))


class ThingOut(BaseModel):
    """As pydantic writes it by default."""

    id: int
    small: int | None
    big: int | None
    huge: int | None
    yes: bool | None
    text: str | None
    short: str | None
    number: float | None
    ratio: float | None
    plain: float | None
    price: Decimal | None
    fine: Decimal | None
    free: Decimal | None
    at: dt.datetime | None
    local: dt.datetime | None
    day: dt.date | None
    clock: dt.time | None
    span: dt.timedelta | None
    key: uuid.UUID | None
    data: bytes | None
    raw: bytes | None
    colour: Colour | None
    size: Size | None
    mood: Mood | None
    loose: Literal["one", "two"] | None
    coded: Colour | None
    document: Any
    page: dict[str, Any] | None
    tags: list[str | None] | None
    counts: list[int] | None
    grid: list[list[int]] | None
    moments: list[dt.datetime | None] | None
    prices: list[Decimal] | None
    floats: list[float | None] | None
    colours: list[Colour] | None


class LooseOut(BaseModel):
    """The same columns under other types that pydantic takes them for, written in its other styles."""

    model_config = ConfigDict(
        ser_json_bytes="base64", ser_json_timedelta="float", ser_json_inf_nan="strings", use_enum_values=True
    )
    small: float | None
    big: Decimal | None
    huge: Decimal | None
    number: Any
    price: float | None
    at: Any
    span: dt.timedelta | None
    data: bytes | None
    mood: str | None
    colour: Any
    ratio: float | None
    free: Any
    clock: Any
    tags: tuple[str | None, ...] | None
    counts: set[int] | None
    floats: list[float] | None
    key: Any
    loose: str | None


class HexOut(BaseModel):
    """Bytes in hexadecimal."""

    model_config = ConfigDict(ser_json_bytes="hex")
    data: bytes | None
    raw: bytes | None


class ThingStruct(msgspec.Struct, rename="camel"):
    """As msgspec writes it."""

    id: int
    small: int | None
    big: int | None
    yes: bool | None
    text: str | None
    number: float | None
    price: Decimal | None
    fine: Decimal | None
    free: Decimal | None
    at: dt.datetime | None
    local: dt.datetime | None
    day: dt.date | None
    clock: dt.time | None
    span: dt.timedelta | None
    key: uuid.UUID | None
    data: bytes | None
    colour: Colour | None
    size: Size | None
    loose: Literal["one", "two"] | None
    document: Any
    page: dict[str, Any] | None
    tags: list[str | None] | None
    moments: list[dt.datetime | None] | None
    prices: list[Decimal] | None
    colours: list[Colour] | None
