"""Values come back as what they were, or are refused."""

import functools
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, NotRequired, TypedDict
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import msgspec
import pydantic
import pytest
from fastapi import Response
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Integer
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from pitstop.cache.codec import codec_for
from pitstop.errors import CacheError, UncacheableValue

SEOUL = timezone(timedelta(hours=9))


class Colour(Enum):
    RED = "red"


class Hard(Enum):
    PAIR = (1, 2)


class Order(pydantic.BaseModel):
    id: int
    total: Decimal = Decimal("1.10")
    at: datetime | None = None
    note: str = pydantic.Field(default="", validation_alias="NOTE", serialization_alias="Note")

    @pydantic.computed_field
    def doubled(self) -> Decimal:
        return self.total * 2


class Special(Order):
    more: int = 1


class Hidden(pydantic.BaseModel):
    x: int
    secret: int = pydantic.Field(default=0, exclude=True)


class Tree(pydantic.BaseModel):
    inner: "list[Tree]" = []


@dataclass
class Line:
    sku: str
    raw: bytes = b"\xff"
    rate: float = 0.5
    ids: frozenset[UUID] = frozenset()


@dataclass
class Cached(Line):
    @functools.cached_property
    def length(self) -> int:
        return len(self.sku)


@dataclass
class Alike:
    sku: str


class Struct(msgspec.Struct):
    at: datetime
    lines: list[Line]


class Dict(TypedDict):
    a: int
    b: NotRequired[str]


class Pair(NamedTuple):
    a: int
    b: str


class Base(DeclarativeBase):
    pass


class Row(Base):
    __tablename__ = "row"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)


NOON = datetime(2026, 1, 2, 12, tzinfo=SEOUL)

CASES: list[tuple[Any, Any, str]] = [
    (str, "서울", "text"),
    (bytes, b"\x00\xff", "bytes"),
    (None, None, "none"),
    (Any, {"a": [1, None, 1.5, True, "x", float("inf")]}, "plain"),
    (int, 7, "msgpack"),
    (float, 1.5, "msgpack"),
    (list[int] | None, None, "msgpack"),
    (tuple[int, ...], (1, 2), "msgpack"),
    (dict[int, Decimal], {1: Decimal("1.50")}, "msgpack"),
    (set[date], {date(2026, 1, 1)}, "msgpack"),
    (Sequence[str], ["a"], "msgpack"),
    (time, time(1, 2, 3, 4, tzinfo=SEOUL), "msgpack"),
    (timedelta, timedelta(days=-1, microseconds=3), "msgpack"),
    (UUID | None, uuid4(), "msgpack"),
    (Colour, Colour.RED, "msgpack"),
    (Literal["a", "b"], "a", "msgpack"),
    (Dict, {"a": 1}, "msgpack"),
    (list[Dict], [{"a": 1, "b": "x"}], "msgpack"),
    (Pair, Pair(1, "x"), "msgpack"),
    (Line, Line("a", ids=frozenset({UUID(int=1)})), "msgpack"),
    (Annotated[list[Line], "docs"], [Line("a", rate=float("nan"))], "msgpack"),
    (Coroutine[Any, Any, Line], Line("a"), "msgpack"),
    (Awaitable[str], "x", "text"),
    (datetime, NOON, "json"),
    (datetime, datetime(2026, 1, 2, 12), "json"),
    (Struct, Struct(NOON, [Line("a", raw=b"\x80")]), "json"),
    (Order, Order(id=1, at=NOON, NOTE="x"), "pydantic"),
    (list[Order], [Order(id=1)], "pydantic"),
    (dict[str, Order] | None, {"a": Order(id=1)}, "pydantic"),
    (Tree, Tree(inner=[Tree()]), "pydantic"),
    (Line | Order, Order(id=1), "pydantic"),
    (datetime | str, NOON, "pydantic"),
    (Path, Path("/tmp"), "pydantic"),
]


@pytest.mark.parametrize(("annotation", "value", "name"), CASES)
def test_annotated_values_come_back(annotation: Any, value: Any, name: str) -> None:
    """Each kind of value comes back equal and of its type, by the codec that suits its annotation."""
    codec = codec_for(annotation, function="f")
    payload = codec.checked_encode(value)
    restored = codec.decode(memoryview(payload))
    assert codec.name == name
    assert type(restored) is type(value)
    assert restored == value or "nan" in repr(value)


def test_offsets_stay() -> None:
    """A datetime keeps its offset; a named zone comes back as its offset."""
    codec = codec_for(datetime)
    for zone in (SEOUL, UTC, ZoneInfo("Asia/Seoul")):
        value = datetime(2026, 1, 1, tzinfo=zone)
        assert codec.decode(codec.checked_encode(value)).utcoffset() == value.utcoffset()


CHANGED: list[tuple[Any, Any]] = [
    (float, 5),
    (dict[str, float], {"a": 1}),
    (list[Any], [(1, 2)]),
    (dict[str, Any], {"at": NOON}),
    (dict[str, Any], {1: "x"}),
    (Order, Special(id=1)),
    (list[Order], [Special(id=1)]),
    (Order, None),
    (Order, {"id": 1}),
    (Hidden, Hidden(x=1, secret=2)),
    (Line, Alike("a")),
    (Line, Line(sku=1)),  # type: ignore[arg-type]
    (Line | Alike, Alike("a")),
    (str, 5),
    (str, None),
    (bytes, "x"),
    (None, 1),
    (int, 2**70),
    (int, True),
    (Colour, "red"),
    (Hard, Hard.PAIR),
    (Struct, Struct(NOON, [Line("a", rate=float("nan"))])),
    (list[str], ["\ud800"]),
    (int | str, 1.5),
    (list[int], [Row(id=1)]),
]


@pytest.mark.parametrize(("annotation", "value"), CHANGED)
def test_what_would_come_back_changed_is_refused(annotation: Any, value: Any) -> None:
    """A value that would come back as another value or type is refused, naming the function."""
    with pytest.raises(UncacheableValue, match=r"shop\.read"):
        codec_for(annotation, function="shop.read").checked_encode(value)


def test_a_lost_attribute_is_refused() -> None:
    """An attribute beside the fields of a dataclass would be lost; a cached property would not be missed."""
    value = Cached("a")
    assert value.length == 1
    codec = codec_for(Cached)
    codec.checked_encode(value)
    value.tenant = 1  # type: ignore[attr-defined]
    with pytest.raises(UncacheableValue, match="tenant is lost"):
        codec.checked_encode(value)


@pytest.mark.parametrize(
    "value",
    [
        (1,),
        {1: 2},
        {1},
        bytearray(b"x"),
        NOON,
        Decimal(1),
        Line("a"),
        Order(id=1),
        [{"a": (1,)}],
        object(),
        Colour.RED,
        2**70,
    ],
)
def test_without_annotation_only_plain_types_are_stored(value: Any) -> None:
    """Nothing tells how to bring other types back, so they are refused, annotation or not."""
    for annotation in (Any, object, "Unresolved"):
        with pytest.raises(UncacheableValue):
            codec_for(annotation).encode(value)


def test_the_refusal_says_what_to_do() -> None:
    """The message names the function, where, the type, and the cure."""
    with pytest.raises(
        UncacheableValue, match=r"shop\.read .*\[\.\.\.\] is a .*Line; annotate the return type"
    ):
        codec_for(Any, function="shop.read").encode([Line("a")])
    with pytest.raises(UncacheableValue, match=r"Row, which is mapped by SQLAlchemy .*read model"):
        codec_for(Any, function="shop.read").encode([Row(id=1)])


REFUSED: list[Any] = [
    *(Response, Order | Response, Session, Row, list[Row], dict[str, Row | None]),
    *(
        Iterator[int],
        AsyncGenerator[int, None],
        Callable[[], int],
        list[Iterable[int]],
        Coroutine[Any, Any, Row],
    ),
]


@pytest.mark.parametrize("annotation", REFUSED)
def test_what_cannot_be_stored_is_refused_at_decoration(annotation: Any) -> None:
    """Responses, sessions, mapped classes, generators and functions are refused by their annotation."""
    with pytest.raises(UncacheableValue, match=r"shop\.read cannot be cached"):
        codec_for(annotation, function="shop.read")


@pytest.mark.parametrize("annotation", [str, None, Any, int, Line, Struct, Order])
def test_foreign_bytes_are_an_error_that_means_a_miss(annotation: Any) -> None:
    """Bytes of another shape raise CacheError whatever the codec."""
    with pytest.raises(CacheError):
        codec_for(annotation).decode(b"\xc1\xff")


def test_a_decoding_error_holds_no_content() -> None:
    """The message about a stored model that fits no more does not repeat what was stored."""
    with pytest.raises(CacheError) as caught:
        codec_for(Order).decode(b'{"id": "hunter2"}')
    assert "hunter2" not in str(caught.value)
    assert "at id" in str(caught.value)


def test_a_validator_of_the_model_may_raise_anything() -> None:
    """An exception of the user's own code while decoding is a miss, and while encoding a refusal."""

    class Strange(pydantic.BaseModel):
        x: int

        @pydantic.field_validator("x")
        @classmethod
        def check(cls, x: int) -> int:
            return {1: 1}[x]

        @pydantic.field_serializer("x")
        def write(self, x: int) -> int:
            return {1: 1, 2: 2}[x]

    codec = codec_for(Strange)
    codec.checked_encode(Strange(x=1))
    with pytest.raises(CacheError, match="KeyError"):
        codec.decode(b'{"x": 2}')
    for x in (2, 3):
        with pytest.raises(UncacheableValue):
            codec.checked_encode(Strange.model_construct(x=x))


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(_json)
@settings(max_examples=200, deadline=None)
def test_plain_data_always_comes_back(value: Any) -> None:
    """Whatever JSON can say comes back the same, infinities and NaN too, with and without annotation."""
    for annotation in (Any, dict[str, Any] | list[Any] | str | float | int | bool | None):
        codec = codec_for(annotation)
        assert repr(codec.decode(codec.encode(value))) == repr(value)
