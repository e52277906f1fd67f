"""The typed encoding: equal bytes exactly for equal typed values."""

import random
from collections import OrderedDict
from dataclasses import dataclass, field, make_dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, IntFlag, StrEnum
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Integer
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from pitstop.cache.canonical import MAX_DEPTH, NotKeyable, canonical


@dataclass
class Point:
    x: object
    y: object = None


@dataclass
class Other:
    x: object
    y: object = None


class Record(msgspec.Struct):
    x: object


class Model(pydantic.BaseModel):
    x: Any


class Colour(Enum):
    RED = 1
    BLUE = "1"


class Number(IntEnum):
    ONE = 1


class Word(StrEnum):
    ONE = "1"


class Bits(IntFlag):
    A = 1
    B = 2


class Pair(NamedTuple):
    x: object
    y: object


class Money(int):
    pass


def form(value: Any) -> Any:
    """An independent form of a typed value: equal forms are the same value to every function."""
    kind = type(value)
    if isinstance(value, Enum):
        return (kind, value.name)
    if kind is float:
        return (kind, value.hex())
    if kind in {Decimal, datetime, time}:
        return (kind, str(value), getattr(value, "fold", 0))
    if kind in {tuple, list, Pair}:
        return (kind, tuple(form(item) for item in value))
    if kind is dict:
        return (kind, frozenset((form(key), form(item)) for key, item in value.items()))
    if kind in {set, frozenset}:
        return (kind, frozenset(form(item) for item in value))
    if kind in {Point, Other}:
        return (kind, form(value.x), form(value.y))
    if kind in {Record, Model}:
        return (kind, form(value.x))
    return (kind, value)


_near = st.sampled_from(
    [
        *(
            None,
            True,
            False,
            0,
            1,
            -1,
            0.0,
            -0.0,
            1.0,
            "",
            "0",
            "1",
            "None",
            b"",
            b"0",
            b"1",
            "x",
            "i1;",
            "s0:",
        ),
        *(Decimal(0), Decimal("0.0"), Decimal("-0"), Colour.RED, Colour.BLUE, Number.ONE, Word.ONE, Bits.A),
        *(
            Bits.A | Bits.B,
            Money(1),
            date(1, 1, 1),
            datetime(1, 1, 1),
            time(0),
            timedelta(0),
            (),
            frozenset(),
        ),
        *(UUID(int=0), Path(), Path("1"), PurePosixPath("1"), datetime(1970, 1, 1, tzinfo=UTC)),
        datetime(1970, 1, 1, 9, tzinfo=timezone(timedelta(hours=9))),
    ]
)
_scalars = st.one_of(
    _near,
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=4),
    st.binary(max_size=4),
    st.decimals(allow_nan=False),
    st.datetimes(timezones=st.none() | st.timezones()),
    st.uuids(),
    st.timedeltas(),
)
_hashable = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3),
    max_leaves=4,
)
_values = st.recursive(
    _hashable,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(_hashable, inner, max_size=3),
        st.sets(_hashable, max_size=3),
        st.builds(Point, inner, inner),
        st.builds(Other, inner),
        st.builds(Record, inner),
        st.builds(Model, x=inner),
        st.builds(Pair, inner, inner),
    ),
    max_leaves=8,
)


def zoned(value: Any) -> bool:
    return isinstance(value, datetime) and isinstance(value.tzinfo, ZoneInfo)


@given(_values, _values)
@settings(max_examples=400, deadline=None)
def test_bytes_are_equal_exactly_for_equal_typed_values(one: Any, other: Any) -> None:
    """Two values have the same bytes exactly when an independent typed form of them is equal."""
    if not zoned(one) and not zoned(other):
        assert (canonical(one) == canonical(other)) == (form(one) == form(other))
    assert canonical(one) == canonical(one)


@given(st.lists(_values, max_size=3), st.lists(_values, max_size=3))
@settings(max_examples=300, deadline=None)
def test_no_row_of_values_reads_as_another_row(one: list[Any], other: list[Any]) -> None:
    """Values written one after the other, as a key's are, cannot be cut in another place."""
    rows = (b"".join(map(canonical, one)), b"".join(map(canonical, other)))
    assert (rows[0] == rows[1]) == ([canonical(v) for v in one] == [canonical(v) for v in other])


_ATOMS = [None, True, False, 0, 1, -1, 10, 0.0, -0.0, 1.0, "", "1", "a", "b:", ":", "1;", b"", b"1", b"a"]


def _random_value(chance: random.Random, depth: int) -> Any:
    if depth == 0 or chance.random() < 0.4:
        return chance.choice(_ATOMS)
    items = [_random_value(chance, depth - 1) for _ in range(chance.randrange(4))]
    shape = chance.randrange(5)
    if shape == 0:
        return items
    if shape == 1:
        return tuple(items)
    if shape == 2:
        return {chance.choice(_ATOMS): item for item in items}
    if shape == 3:
        return {chance.choice(_ATOMS) for _ in items}
    return frozenset(chance.choice(_ATOMS) for _ in items)


def test_a_large_search_finds_no_collision() -> None:
    """Among 60,000 random nested values of look-alike atoms no two different ones share their bytes."""
    chance = random.Random(7)
    by_bytes: dict[bytes, Any] = {}
    by_form: dict[Any, bytes] = {}
    for _ in range(60_000):
        value = _random_value(chance, 3)
        encoded, plain = canonical(value), form(value)
        assert by_bytes.setdefault(encoded, plain) == plain
        assert by_form.setdefault(plain, encoded) == encoded
    assert len(by_bytes) == len(by_form) > 5_000


def test_order_does_not_count_where_the_type_has_none() -> None:
    """Dictionaries and sets are equal in any order; an OrderedDict is not."""
    assert canonical({"a": 1, "b": 2}) == canonical({"b": 2, "a": 1})
    assert canonical({"x", "y", "z"}) == canonical({"z", "y", "x"})
    assert canonical(OrderedDict(a=1, b=2)) != canonical(OrderedDict(b=2, a=1))


def test_nan_is_refused() -> None:
    """NaN equals nothing, so it makes no key, wherever it lies."""
    for value in (float("nan"), Decimal("nan"), [float("nan")], {"a": (Decimal("sNaN"),)}):
        with pytest.raises(NotKeyable, match="nan"):
            canonical(value)


def test_cycles_and_great_depth_are_refused() -> None:
    """A value that contains itself, and one deeper than 32 levels, end in an error and not in a loop."""
    cycle: list[Any] = []
    cycle.append([cycle, cycle])
    deep: Any = 1
    for _ in range(MAX_DEPTH + 2):
        deep = (deep,)
    for value in (cycle, deep):
        with pytest.raises(NotKeyable, match="deeper"):
            canonical(value)


def test_subclasses_count_with_what_they_carry() -> None:
    """A str of a class of its own differs from a str, and so do two with different attributes."""

    class Tagged(str):
        __slots__ = ("tenant",)

    one, other = Tagged("a"), Tagged("a")
    one.tenant, other.tenant = 1, 2
    assert len({canonical(value) for value in ("a", Tagged("a"), one, other)}) == 4


def test_extra_and_private_values_of_models_count() -> None:
    """Extra fields and private attributes of a pydantic model are part of its value."""

    class Open(pydantic.BaseModel, extra="allow"):
        x: int
        _tenant: int = pydantic.PrivateAttr(default=0)

    changed = Open(x=1)
    changed._tenant = 2
    assert len({canonical(Open(x=1)), canonical(Open(x=1, y=2)), canonical(changed)}) == 3


def test_the_zone_counts_beside_the_offset() -> None:
    """Two zones of one offset differ, for a day later they may have two."""
    zones = (ZoneInfo("Asia/Seoul"), ZoneInfo("Asia/Tokyo"), timezone(timedelta(hours=9)))
    assert len({canonical(datetime(2026, 1, 1, tzinfo=zone)) for zone in zones}) == 3


def test_cache_key_stands_for_the_object() -> None:
    """What ``__cache_key__`` returns is keyed with the class, so that two classes never meet."""

    class User:
        def __init__(self, number: int) -> None:
            self.number = number

        def __cache_key__(self) -> object:
            return self.number

    class Admin(User):
        pass

    assert canonical(User(1)) == canonical(User(1))
    assert len({canonical(value) for value in (1, User(1), User(2), Admin(1))}) == 4


def test_what_has_no_typed_value_is_refused() -> None:
    """Objects, functions, classes and generators are refused instead of being keyed by their address."""

    class Opaque:
        pass

    for value in (
        Opaque(),
        object(),
        print,
        int,
        (n for n in [1]),
        range(3),
        bytearray(b"a"),
        1j,
        [Opaque()],
    ):
        with pytest.raises(NotKeyable):
            canonical(value)


def test_mapped_instances_are_refused() -> None:
    """An instance of a mapped class is refused although its attributes could be read."""

    class Base(DeclarativeBase):
        pass

    class Row(Base):
        __tablename__ = "row"
        id: Mapped[int] = mapped_column(Integer, primary_key=True)

    with pytest.raises(NotKeyable, match="primary key"):
        canonical(Row(id=1))


def test_fields_that_do_not_compare_still_count() -> None:
    """Each field of a dataclass counts, for a function can read each."""
    kind = make_dataclass("Kind", [("x", int), ("y", int, field(compare=False, repr=False))])
    assert canonical(kind(1, 2)) != canonical(kind(1, 3))


def test_a_dataclass_that_holds_more_than_fields_is_refused() -> None:
    """A dataclass that is a list as well would lose its items."""

    @dataclass
    class Bag(list[int]):
        x: int = 0

    with pytest.raises(NotKeyable, match="more than its fields"):
        canonical(Bag(1))


def test_missing_is_not_none() -> None:
    """An unset field differs from one that is None, and so does one that is not there at all."""
    assert len({canonical(Record(msgspec.UNSET)), canonical(Record(None))}) == 2
    assert len({canonical(Model(x=None)), canonical(Model.model_construct())}) == 2


def test_large_integers_have_no_limit() -> None:
    """Integers beyond Python's limit of decimal digits can be keyed."""
    assert canonical(10**5000) != canonical(10**5000 + 1)
