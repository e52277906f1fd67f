"""Whether a value that was stored and read again is the one that went in."""

import dataclasses
import functools
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
import pydantic

__all__ = ["difference"]


def difference(value: object, restored: Any, *, path: str = "the value") -> str | None:
    """Where two values differ in type or content, in words and without the content, or None.

    The zone of a datetime may become its plain offset, and a pydantic model's ``model_fields_set`` all of its
    fields: neither is compared. The order of dictionaries is.
    """
    if type(value) is not type(restored):
        return f"{path} is {type(value).__qualname__} and comes back as {type(restored).__qualname__}"
    if isinstance(value, (list, tuple)):
        return _in_sequence(value, restored, path)
    if isinstance(value, dict):
        return _in_mapping(value, restored, path)
    attributes = _attributes(value)
    if attributes is not None:
        return _in_attributes(attributes, _attributes(restored) or {}, path)
    same = value == restored or (isinstance(value, float) and math.isnan(value) and math.isnan(restored))
    if same and _offset(value) == _offset(restored):
        return None
    return f"{path}, a {type(value).__qualname__}, comes back with another value"


def _in_sequence(value: Any, restored: Any, path: str) -> str | None:
    if len(value) != len(restored):
        return f"{path} has {len(value)} items and comes back with {len(restored)}"
    for index, (one, other) in enumerate(zip(value, restored, strict=True)):
        if one is not other:
            found = difference(one, other, path=f"{path}[{index}]")
            if found is not None:
                return found
    return None


def _in_mapping(value: Any, restored: Any, path: str) -> str | None:
    if len(value) != len(restored):
        return f"{path} has {len(value)} keys and comes back with {len(restored)}"
    for (key, one), (other_key, other) in zip(value.items(), restored.items(), strict=True):
        found = difference(key, other_key, path=f"a key of {path}") or difference(
            one, other, path=f"{path}[...]"
        )
        if found is not None:
            return found
    return None


def _in_attributes(value: Mapping[str, Any], restored: Mapping[str, Any], path: str) -> str | None:
    for name, one in value.items():
        if name not in restored:
            return f"{path}.{name} is lost"
        found = difference(one, restored[name], path=f"{path}.{name}")
        if found is not None:
            return found
    return None


def _attributes(value: Any) -> Mapping[str, Any] | None:
    """What an object holds, for the classes that are stored by their fields."""
    kind = type(value)
    if isinstance(value, pydantic.BaseModel):
        fields = {name: value.__dict__[name] for name in kind.model_fields if name in value.__dict__}
        return {**fields, **(value.__pydantic_extra__ or {}), **(value.__pydantic_private__ or {})}
    if isinstance(value, msgspec.Struct):
        return {name: getattr(value, name) for name in value.__struct_fields__}
    if dataclasses.is_dataclass(kind):
        names = [field.name for field in dataclasses.fields(kind)]
        more = [name for name in getattr(value, "__dict__", ()) if not _is_computed(kind, name)]
        return {name: getattr(value, name) for name in dict.fromkeys([*names, *more]) if hasattr(value, name)}
    return None


def _is_computed(kind: type, name: str) -> bool:
    return isinstance(getattr(kind, name, None), functools.cached_property)


def _offset(value: object) -> object:
    return value.utcoffset() if isinstance(value, datetime) else None
