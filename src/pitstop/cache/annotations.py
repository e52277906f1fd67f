"""What an annotation tells about the values it stands for."""

import collections
import dataclasses
import datetime
import decimal
import enum
import inspect
import pathlib
import types
import typing
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Literal

import msgspec
import pydantic

__all__ = [
    "describe",
    "field_types",
    "is_mapped",
    "is_used_up",
    "mapped_in",
    "parts",
    "reachable",
    "resolved",
    "unkeyable_class",
]

_UNRESOLVED = (NameError, AttributeError, TypeError, SyntaxError, ImportError, LookupError, ValueError)

_UNIONS = (typing.Union, types.UnionType)
_QUALIFIERS = (typing.Required, typing.NotRequired, typing.Final, typing.ClassVar)

KEYABLE = (
    type(None),
    int,
    float,
    str,
    bytes,
    decimal.Decimal,
    uuid.UUID,
    datetime.date,
    datetime.time,
    datetime.timedelta,
    enum.Enum,
    pathlib.PurePath,
    tuple,
    list,
    dict,
    set,
    frozenset,
    msgspec.Struct,
    pydantic.BaseModel,
)
"""Classes whose instances, and those of their subclasses, can be keyed; dataclasses are the others."""

_SAMPLES = (*KEYABLE[:-2], bool, datetime.datetime, collections.OrderedDict)


def resolved(function: Callable[..., Any]) -> dict[str, object]:
    """The annotations of a function by name (``"return"`` too), strings evaluated where that is possible.

    A string that cannot be evaluated (yet) stays a string: it tells nothing.
    """
    try:
        return typing.get_type_hints(function, include_extras=True)
    except _UNRESOLVED:
        inner = inspect.unwrap(function)
        space = getattr(inner, "__globals__", {})
        return {name: _evaluated(raw, space) for name, raw in inspect.get_annotations(inner).items()}


def _evaluated(raw: object, space: dict[str, Any]) -> object:
    holder = types.SimpleNamespace(__annotations__={"it": raw})
    try:
        return typing.get_type_hints(holder, globalns=space, include_extras=True)["it"]
    except _UNRESOLVED:
        return raw


def is_mapped(kind: type) -> bool:
    """Whether SQLAlchemy maps the class (its instances belong to a session)."""
    return getattr(kind, "__mapper__", None) is not None


def mapped_in(value: object) -> type | None:
    """The mapped class of a value, or of one among the items of a container; None if there is none."""
    items = value.values() if isinstance(value, dict) else value
    inside = items if isinstance(value, dict | list | tuple | set | frozenset) else ()
    return next((type(each) for each in (value, *inside) if is_mapped(type(each))), None)  # type: ignore[misc]


def is_used_up(value: object) -> bool:
    """Whether who reads a value leaves nothing for the next: an iterator, a coroutine."""
    return isinstance(value, Iterator | AsyncIterator | Awaitable)


def parts(annotation: object) -> Iterator[object]:
    """The annotation without ``Annotated``, ``NewType``, aliases and qualifiers; of a union each member."""
    supertype = getattr(annotation, "__supertype__", None)
    if supertype is not None:
        yield from parts(supertype)
    elif hasattr(annotation, "__metadata__") or typing.get_origin(annotation) in _QUALIFIERS:
        yield from parts(typing.get_args(annotation)[0])
    elif typing.get_origin(annotation) in _UNIONS:
        for member in typing.get_args(annotation):
            yield from parts(member)
    elif type(annotation).__name__ == "TypeAliasType":
        yield from parts(annotation.__value__)  # type: ignore[attr-defined]
    else:
        yield annotation


def unkeyable_class(annotation: object) -> type | None:
    """The class in an annotation whose instances certainly cannot be part of a key, or None.

    An abstract class or protocol tells nothing, nor do ``Any``, ``object``, type variables and strings.
    """
    for part in parts(annotation):
        origin = typing.get_origin(part) or part
        if origin in {list, tuple, dict, set, frozenset}:
            inner = (unkeyable_class(argument) for argument in typing.get_args(part))
            found = next((kind for kind in inner if kind is not None), None)
        else:
            found = origin if isinstance(origin, type) and not _may_be_keyed(origin) else None
        if found is not None:
            return found
    return None


def _may_be_keyed(kind: type) -> bool:
    if hasattr(kind, "__cache_key__") or kind in {type, Any}:
        return True
    if is_mapped(kind):
        return False
    if issubclass(kind, KEYABLE) or dataclasses.is_dataclass(kind):
        return True
    if inspect.isabstract(kind) or getattr(kind, "_is_protocol", False):
        return True
    return any(issubclass(sample, kind) for sample in _SAMPLES)


def field_types(kind: type) -> dict[str, object] | None:
    """The fields of a model, dataclass, Struct, TypedDict or NamedTuple with their annotations, or None."""
    if isinstance(kind, type) and issubclass(kind, pydantic.BaseModel):
        return {name: field.annotation for name, field in kind.model_fields.items()}
    named = issubclass(kind, tuple) and hasattr(kind, "_fields")
    if not (
        dataclasses.is_dataclass(kind)
        or issubclass(kind, msgspec.Struct)
        or typing.is_typeddict(kind)
        or named
    ):
        return None
    try:
        hints = typing.get_type_hints(kind, include_extras=True)
    except _UNRESOLVED:
        hints = dict(inspect.get_annotations(kind))
    if dataclasses.is_dataclass(kind):
        return {field.name: hints.get(field.name, Any) for field in dataclasses.fields(kind)}
    return hints


def reachable(annotation: object, *, _seen: set[int] | None = None) -> Iterator[object]:
    """All that an annotation is made of: classes, ``Any``, strings; through containers, unions and fields."""
    seen = set() if _seen is None else _seen
    for part in parts(annotation):
        if id(part) in seen:
            continue
        seen.add(id(part))
        origin = typing.get_origin(part)
        yield part if origin is None else origin
        inner = list(typing.get_args(part)) if origin is not Literal else []
        kind = part if origin is None else origin
        if isinstance(kind, type):
            inner += (field_types(kind) or {}).values()
        for argument in inner:
            yield from reachable(argument, _seen=seen)


def describe(annotation: object, *, fields: bool = False, _inside: tuple[type, ...] = ()) -> str:
    """An annotation as text that is the same in each process (``repr`` may hold addresses).

    Args:
        annotation: anything that stands after a colon or an arrow; metadata of ``Annotated`` is left out.
        fields: also write out the fields of models and dataclasses, so that a new field is a new text.
    """
    if isinstance(annotation, str):
        return annotation
    if hasattr(annotation, "__metadata__"):
        return describe(typing.get_args(annotation)[0], fields=fields, _inside=_inside)
    if isinstance(annotation, list):  # the arguments of a Callable
        return "[" + ", ".join(describe(argument) for argument in annotation) + "]"
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    kind = annotation if origin is None else origin
    text = _name(kind)
    if origin is Literal:
        return f"{text}[{', '.join(_literal(argument) for argument in arguments)}]"
    if fields and isinstance(kind, type) and kind not in _inside:
        _inside = (*_inside, kind)
        text += _fields(kind, _inside)
    inner = [describe(argument, fields=fields, _inside=_inside) for argument in arguments]
    if origin in _UNIONS:
        return " | ".join(inner)
    return f"{text}[{', '.join(inner)}]" if inner else text


def _fields(kind: type, inside: tuple[type, ...]) -> str:
    of_kind = field_types(kind)
    if of_kind is None:
        return ""
    text = (f"{name}: {describe(of, fields=True, _inside=inside)}" for name, of in of_kind.items())
    return "{" + ", ".join(text) + "}"


def _literal(argument: object) -> str:
    return (
        f"{type(argument).__qualname__}.{argument.name}"
        if isinstance(argument, enum.Enum)
        else repr(argument)
    )


def _name(annotation: object) -> str:
    name = getattr(annotation, "__qualname__", None) or getattr(annotation, "__name__", None)
    if name is None:
        return getattr(annotation, "__forward_arg__", None) or type(annotation).__qualname__
    return f"{getattr(annotation, '__module__', '')}.{name}"
