"""One unambiguous byte string per typed value: what keys are made of.

Each value begins with a letter for its type and is either closed by a mark that it cannot contain or
preceded by its length, so that no two different values, alone or in a row, have the same bytes. Nothing
is ever encoded by ``repr`` or ``hash``.
"""

import dataclasses
import functools
import math
import struct
from collections import OrderedDict
from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any, cast
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pydantic

from pitstop.cache.annotations import is_mapped

__all__ = ["MAX_DEPTH", "SCALARS", "NotKeyable", "canonical", "canonical_self"]

MAX_DEPTH = 32

_double = struct.Struct(">d").pack


class NotKeyable(Exception):
    """A value cannot be encoded; whoever knows the argument's name turns this into ``UnkeyableArgument``."""

    def __init__(self, kind: type, why: str) -> None:
        super().__init__(why)
        self.kind = kind
        self.why = why


def _text(value: str) -> bytes:
    raw = value.encode("utf-8", "surrogatepass")
    return b"s%d:%b" % (len(raw), raw)


def _float(value: float) -> bytes:
    if math.isnan(value):
        raise NotKeyable(type(value), "nan equals nothing, not even itself")
    return b"f" + _double(value)


def _decimal(value: Decimal) -> bytes:
    if value.is_nan():
        raise NotKeyable(type(value), "nan equals nothing, not even itself")
    return b"d" + _text(str(value))


def _moment(value: datetime | time) -> bytes:
    zone = value.tzinfo.key if isinstance(value.tzinfo, ZoneInfo) else None
    letter = b"m" if isinstance(value, datetime) else b"h"
    return b"%b%d%b%b" % (
        letter,
        value.fold,
        _text(value.isoformat()),
        b"N" if zone is None else _text(str(zone)),
    )


def _span(value: timedelta) -> bytes:
    return b"l%d;%d;%d;" % (value.days, value.seconds, value.microseconds)


SCALARS: dict[type, Callable[[Any], bytes]] = {
    type(None): lambda _: b"N",
    bool: lambda value: b"+" if value else b"-",
    int: lambda value: b"i%x;" % value,  # hexadecimal has no limit of digits
    float: _float,
    str: _text,
    bytes: lambda value: b"b%d:%b" % (len(value), value),
    Decimal: _decimal,
    UUID: lambda value: b"u" + value.bytes,
    date: lambda value: b"a" + _text(value.isoformat()),
    datetime: _moment,
    time: _moment,
    timedelta: _span,
    type(msgspec.UNSET): lambda _: b"?",
}
"""Encoders of the types that hold no other value, by exact class."""

_BASES = (int, float, str, bytes, Decimal, datetime, date, time)  # whose subclasses can be keyed


def canonical(value: object, depth: int = 0) -> bytes:
    """The bytes of a value.

    Args:
        value: scalars, containers, paths, enums, dataclasses, msgspec Structs, pydantic models, and
            anything with a ``__cache_key__()`` method. Subclasses are encoded with their class.
        depth: how deep the value lies in another one.

    Raises:
        NotKeyable: none of these, NaN, or deeper than 32 levels (a cycle is).
    """
    kind = type(value)
    scalar = SCALARS.get(kind)
    if scalar is not None:
        return scalar(value)
    if depth > MAX_DEPTH:
        raise NotKeyable(kind, f"it lies deeper than {MAX_DEPTH} levels, or contains itself")
    container = _CONTAINERS.get(kind)
    if container is not None:
        return container(value, depth + 1)
    return _of_class(value, kind, depth + 1)


def canonical_self(value: object) -> bytes:
    """The bytes of the first argument of a method: a class by its name, an object also by its attributes."""
    kind: Any = type(value)
    if isinstance(value, type):
        return b"C" + _class(value)
    try:
        return canonical(value)
    except NotKeyable as error:
        if error.kind is not kind or is_mapped(kind) or _hides_state(kind):
            raise
        return b"O" + _class(kind) + _state(value, 1)


@functools.lru_cache(maxsize=1024)
def _hides_state(kind: type) -> bool:
    """Whether instances hold more than attributes: something in C, which only their size tells."""
    names = {name for base in kind.__mro__ for name in _slots(base)}
    pointers = len(names) + (kind.__dictoffset__ > 0) + (kind.__weakrefoffset__ > 0)
    return kind.__basicsize__ > object.__basicsize__ + pointers * struct.calcsize("P")


def _slots(kind: type) -> set[str]:
    slots = vars(kind).get("__slots__", ())
    return {slots} if isinstance(slots, str) else {*slots} - {"__dict__", "__weakref__"}


def _of_class(value: Any, kind: type, depth: int) -> bytes:
    own = getattr(kind, "__cache_key__", None)
    if own is not None:
        return b"K" + _class(kind) + canonical(own(value), depth)
    if isinstance(value, Enum):
        name = value.name
        return b"E" + _class(kind) + (canonical(value.value, depth) if name is None else _text(name))
    if is_mapped(kind):
        raise NotKeyable(kind, "it belongs to a session; pass its primary key instead")
    if isinstance(value, UUID):  # drivers have a class of their own for the same value
        return SCALARS[UUID](value)
    fields = _fields(value, kind)
    if fields is not None:
        return b"R" + _class(kind) + _pairs(fields, depth)
    return b"S" + _class(kind) + _as_base(value, kind, depth)


def _fields(value: Any, kind: Any) -> Iterable[tuple[str, object]] | None:
    if isinstance(value, pydantic.BaseModel):
        hidden = [("", value.__pydantic_extra__ or None), (" ", value.__pydantic_private__ or None)]
        return [
            *((name, value.__dict__[name]) for name in kind.model_fields if name in value.__dict__),
            *hidden,
        ]
    if isinstance(value, msgspec.Struct):
        return [(name, getattr(value, name)) for name in value.__struct_fields__ if hasattr(value, name)]
    if dataclasses.is_dataclass(kind):
        if _hides_state(cast("Any", kind)):  # a dataclass that is a list as well
            raise NotKeyable(type(value), "it holds more than its fields")
        names = [field.name for field in dataclasses.fields(kind)]
        return [(name, getattr(value, name)) for name in names if hasattr(value, name)]
    return None


def _as_base(value: Any, kind: type, depth: int) -> bytes:
    if isinstance(value, PurePath):
        return b"P" + _text(str(value))
    if isinstance(value, OrderedDict):  # its order is part of its value
        return _sequence([item for pair in value.items() for item in pair], depth) + _state(value, depth)
    for base, encode in _CONTAINERS.items():
        if isinstance(value, base):
            return encode(value, depth) + _state(value, depth)
    for base in _BASES:
        if isinstance(value, base):
            return SCALARS[base](value) + _state(value, depth)
    raise NotKeyable(kind, "instances of it have no typed value")


def _state(value: object, depth: int) -> bytes:
    """Attributes of an object whose class says nothing about them, in dictionary and slots."""
    state = object.__getstate__(value)
    attributes, slots = state if isinstance(state, tuple) else (state, None)
    return _pairs({**(attributes or {}), **(slots or {})}.items(), depth)


def _class(kind: type) -> bytes:
    return _text(f"{kind.__module__}.{kind.__qualname__}")


def _pairs(pairs: Iterable[tuple[object, object]], depth: int) -> bytes:
    encoded = sorted(canonical(key, depth) + canonical(value, depth) for key, value in pairs)
    return b"D%d:%b" % (len(encoded), b"".join(encoded))


def _sequence(values: Iterable[object], depth: int) -> bytes:
    encoded = [canonical(value, depth) for value in values]
    return b"%d:%b" % (len(encoded), b"".join(encoded))


def _unordered(values: Iterable[object], depth: int) -> bytes:
    encoded = sorted(canonical(value, depth) for value in values)
    return b"%d:%b" % (len(encoded), b"".join(encoded))


_CONTAINERS: dict[type, Callable[[Any, int], bytes]] = {
    tuple: lambda value, depth: b"T" + _sequence(value, depth),
    list: lambda value, depth: b"L" + _sequence(value, depth),
    dict: lambda value, depth: _pairs(value.items(), depth),
    set: lambda value, depth: b"Z" + _unordered(value, depth),
    frozenset: lambda value, depth: b"F" + _unordered(value, depth),
}
