"""Whether a value that was stored and read again is the one that went in."""

import dataclasses
import functools
import math
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from types import NoneType
from typing import Any, cast
from uuid import UUID

import msgspec
import pydantic

__all__ = ["difference"]

_BY_VALUE = frozenset({NoneType, bool, int, str, bytes, Decimal, UUID})
_MISSING = object()


def difference(value: object, restored: object) -> str | None:
    """Where two values differ in type or content, in words and without the content, or None.

    The zone of a datetime may become its plain offset, and a pydantic model's ``model_fields_set`` all of its
    fields: neither is compared. The order of dictionaries is.
    """
    found = _found(value, restored)
    return None if found is None else f"the value{found}"


def _found(value: Any, restored: Any) -> str | None:
    """The end of a sentence; the path before it is added on the way out, if there is a difference."""
    kind: Any = type(value)
    if kind is not type(restored):
        return f" is {kind.__qualname__} and comes back as {type(restored).__qualname__}"
    if kind not in _BY_VALUE:
        if isinstance(value, (list, tuple)):
            return _in_sequence(value, restored)
        if isinstance(value, dict):
            return _in_mapping(value, restored)
        if _fields(cast("Any", kind)) is not None:
            return _in_attributes(value, restored)
    return None if _is_same(value, restored) else f", a {kind.__qualname__}, comes back with another value"


def _is_same(value: Any, restored: Any) -> bool:
    if isinstance(value, float):
        return value == restored or (math.isnan(value) and math.isnan(restored))
    if isinstance(value, datetime):
        return bool(value == restored and value.utcoffset() == restored.utcoffset())
    return bool(value == restored)


def _in_sequence(value: Any, restored: Any) -> str | None:
    if len(value) != len(restored):
        return f" has {len(value)} items and comes back with {len(restored)}"
    for index, (one, other) in enumerate(zip(value, restored, strict=True)):
        found = _found(one, other)
        if found is not None:
            return f"[{index}]{found}"
    return None


def _in_mapping(value: Any, restored: Any) -> str | None:
    if len(value) != len(restored):
        return f" has {len(value)} keys and comes back with {len(restored)}"
    for (key, one), (other_key, other) in zip(value.items(), restored.items(), strict=True):
        found = _found(key, other_key)
        if found is not None:
            return f" has a key that{found}"
        found = _found(one, other)
        if found is not None:
            return f"[...]{found}"
    return None


def _in_attributes(value: Any, restored: Any) -> str | None:
    for name in _names(value):
        one, other = getattr(value, name, _MISSING), getattr(restored, name, _MISSING)
        if other is _MISSING and one is not _MISSING:
            return f".{name} is lost"
        found = _found(one, other)
        if found is not None:
            return f".{name}{found}"
    return None


def _names(value: Any) -> Iterable[str]:
    """Fields, and what an instance holds beside them, but for properties that are computed again."""
    kind: Any = type(value)
    names = _fields(kind) or ()
    if isinstance(value, pydantic.BaseModel):
        return [*names, *(value.__pydantic_extra__ or ()), *(value.__pydantic_private__ or ())]
    held: dict[str, Any] = getattr(value, "__dict__", {})
    if len(held) <= len(names):
        return names
    computed = (name for name in held if isinstance(getattr(kind, name, None), functools.cached_property))
    return dict.fromkeys([*names, *held.keys() - set(computed)])


@functools.lru_cache(maxsize=1024)
def _fields(kind: Any) -> tuple[str, ...] | None:
    if issubclass(kind, pydantic.BaseModel):
        return tuple(kind.model_fields)
    if issubclass(kind, msgspec.Struct):
        return tuple(kind.__struct_fields__)
    if dataclasses.is_dataclass(kind):
        return tuple(field.name for field in dataclasses.fields(kind))
    return None
