"""How values become bytes and come back as what they were, by the annotation of the function.

Text and bytes go as they are; plain data, dataclasses, Structs, enums, dates and the like through msgspec;
pydantic models and what msgspec cannot do through pydantic. Nothing is pickled.
"""

import inspect
import types
import typing
from abc import ABC, abstractmethod
from collections import abc
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from types import NoneType
from typing import Any, ClassVar, Literal, cast
from uuid import UUID

import msgspec
import pydantic

from pitstop.cache.annotations import describe, field_types, is_mapped, parts, reachable
from pitstop.cache.sameness import difference
from pitstop.errors import CacheError, UncacheableValue

__all__ = ["Codec", "PlainCodec", "codec_for"]

_MAPPED = "is mapped by SQLAlchemy and belongs to a session; return a model, dataclass or read model instead"
_ONCE = (abc.Iterator, abc.AsyncIterable, abc.Awaitable)
_NATIVE = (
    *(NoneType, bool, int, float, str, bytes, bytearray, Decimal, UUID, datetime, date, time, timedelta),
    *(list, tuple, dict, set, frozenset, abc.Collection, abc.Sequence, abc.MutableSequence, abc.Set),
    *(abc.MutableSet, abc.Mapping, abc.MutableMapping),
)


class Codec(ABC):
    """Encodes and decodes the values of one function.

    Attributes:
        name: what carries the values out: ``"text"``, ``"bytes"``, ``"none"``, ``"plain"``, ``"msgpack"``,
            ``"json"`` or ``"pydantic"``.
    """

    name: ClassVar[str]

    def __init__(self, annotation: object, *, function: str) -> None:
        self.annotation = annotation
        self.function = function

    def __repr__(self) -> str:
        return f"<Codec {self.name} of {self.function}>"

    def encode(self, value: Any) -> bytes:
        """The bytes of a value, which may still come back as something else: see ``checked_encode``.

        Raises:
            UncacheableValue: it cannot be encoded.
        """
        try:
            return self._encoded(value)
        except UncacheableValue:
            raise
        except Exception as error:  # a model's own serializer may raise anything
            kind = type(value).__qualname__
            raise self._refusal(f"a value of type {kind} cannot be encoded: {error}") from error

    def decode(self, payload: bytes | memoryview) -> Any:
        """The value of some bytes.

        Raises:
            CacheError: the bytes are none of this function's (any more); treat it as a miss.
        """
        try:
            return self._decoded(payload)
        except pydantic.ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(str(step) for step in first["loc"])
            raise self._misfit(f"{first['type']} at {where or 'the top'}") from None  # it holds the values
        except msgspec.MsgspecError as error:
            raise self._misfit(str(error)) from error
        except Exception as error:  # a model's own validator may raise anything: still a miss
            raise self._misfit(type(error).__qualname__) from error

    def checked_encode(self, value: Any) -> bytes:
        """The bytes of a value that were decoded again and gave the same value of the same types.

        Raises:
            UncacheableValue: the value would come back as another one; the message says where.
        """
        payload = self.encode(value)
        try:
            found = difference(value, self.decode(payload))
        except (CacheError, RecursionError) as error:
            if is_mapped(type(value)):
                raise self._refusal(f"{type(value).__qualname__}, which {_MAPPED}") from error
            raise self._refusal(f"the value does not fit {describe(self.annotation)}: {error}") from error
        if found is not None:
            raise self._refusal(f"{found}; return what the annotation says, or say what is returned")
        return payload

    def of_session(self, kind: type) -> UncacheableValue:
        """The error for a value that holds an object of a mapped class."""
        return self._refusal(f"the value holds a {kind.__qualname__}, which {_MAPPED}")

    def used_up(self, kind: type) -> UncacheableValue:
        """The error for a value that only its first reader could read."""
        return self._refusal(f"who reads a {kind.__qualname__} first uses it up; return a list or other data")

    @abstractmethod
    def _encoded(self, value: Any) -> bytes: ...

    @abstractmethod
    def _decoded(self, payload: bytes | memoryview) -> Any: ...

    def _refusal(self, why: str) -> UncacheableValue:
        return UncacheableValue(f"{self.function} returns what cannot be cached: {why}")

    def _misfit(self, why: str) -> CacheError:
        return CacheError(f"stored value of {self.function} is no {describe(self.annotation)}: {why}")

    def _require(self, value: Any, kind: type) -> None:
        if not isinstance(value, kind):
            raise self._refusal(f"it is annotated {kind.__name__} and returned a {type(value).__qualname__}")


class _Text(Codec):
    name = "text"

    def _encoded(self, value: Any) -> bytes:
        self._require(value, str)
        return str.encode(value)

    def _decoded(self, payload: bytes | memoryview) -> str:
        return str(payload, "utf-8")


class _Raw(Codec):
    name = "bytes"

    def _encoded(self, value: Any) -> bytes:
        self._require(value, bytes)
        return bytes(value)

    def _decoded(self, payload: bytes | memoryview) -> bytes:
        return bytes(payload)


class _Nothing(Codec):
    name = "none"

    def _encoded(self, value: Any) -> bytes:
        self._require(value, NoneType)
        return b""

    def _decoded(self, payload: bytes | memoryview) -> None:
        if len(payload):
            raise ValueError(f"{len(payload)} bytes")


class PlainCodec(Codec):
    """Without an annotation to decode by: bytes and what JSON knows, and only in exactly those types."""

    name = "plain"

    def _encoded(self, value: Any) -> bytes:
        odd = _odd(value)
        if odd is not None:
            raise self._no_plain(*odd)
        return msgspec.msgpack.encode(value)

    def _decoded(self, payload: bytes | memoryview) -> Any:
        return msgspec.msgpack.decode(payload)

    def checked_encode(self, value: Any) -> bytes:
        """Exact types of this kind come back as they are: there is nothing to check."""
        return self.encode(value)

    def _no_plain(self, path: str, kind: type) -> UncacheableValue:
        named = f"{kind.__module__}.{kind.__qualname__}"
        if is_mapped(kind):
            return self._refusal(f"the value{path} is a {named}, which {_MAPPED}")
        known = f"{self.annotation!r} is unknown where it is decorated; " * isinstance(self.annotation, str)
        cure = "annotate the return type, so that it can come back as one"
        return self._refusal(f"the value{path} is a {named}; {known}{cure}")


_PLAIN = frozenset({str, int, float, bool, bytes, NoneType})


def _odd(value: Any) -> tuple[str, type] | None:
    """Where a value holds something that is not plain, and of which class; None where nowhere."""
    kind = type(value)
    if kind in _PLAIN:
        return None
    if kind is dict:
        for key in value:
            if type(key) is not str:
                return " has a key that", type(key)
        value = value.values()
    elif kind is not list:
        return "", kind
    for item in value:
        if type(item) not in _PLAIN and (odd := _odd(item)) is not None:
            return f"[...]{odd[0]}", odd[1]
    return None


class _Msgpack(Codec):
    name = "msgpack"

    def __init__(self, annotation: object, *, function: str) -> None:
        super().__init__(annotation, function=function)
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode: Callable[[Any], Any] = msgspec.msgpack.Decoder(annotation).decode

    def _encoded(self, value: Any) -> bytes:
        return self._encode(value)

    def _decoded(self, payload: bytes | memoryview) -> Any:
        return self._decode(payload)


class _Json(_Msgpack):
    """For what holds a datetime: msgpack would turn its offset into UTC."""

    name = "json"

    def __init__(self, annotation: object, *, function: str) -> None:
        super().__init__(annotation, function=function)
        self._encode = msgspec.json.Encoder().encode
        self._decode = msgspec.json.Decoder(annotation).decode


class _Pydantic(Codec):
    name = "pydantic"

    def __init__(self, annotation: object, *, function: str) -> None:
        super().__init__(annotation, function=function)
        self._adapter: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(cast("Any", annotation))

    def _encoded(self, value: Any) -> bytes:
        # By field names both ways: an alias for reading need not be the one for writing.
        return self._adapter.dump_json(value, round_trip=True, by_alias=False, warnings="error")

    def _decoded(self, payload: bytes | memoryview) -> Any:
        text = bytes(payload)
        try:
            return self._adapter.validate_json(text, strict=True, by_alias=False, by_name=True)
        except pydantic.ValidationError:  # some types cannot be read strictly from JSON
            return self._adapter.validate_json(text, by_alias=False, by_name=True)


_EXACT: dict[object, type[Codec]] = {
    str: _Text,
    bytes: _Raw,
    NoneType: _Nothing,
    Any: PlainCodec,
    object: PlainCodec,
}


def codec_for(annotation: object = Any, *, function: str = "the function") -> Codec:
    """The codec of a function by the annotation of what it returns.

    Args:
        annotation: the resolved annotation; missing (``inspect.Signature.empty``), ``Any``, or a string that
            cannot be resolved: only bytes and exact JSON types are stored. ``Awaitable[X]`` and
            ``Coroutine`` mean X.
        function: its name, for messages.

    Raises:
        UncacheableValue: what the annotation names cannot be stored: mapped classes, responses, sessions,
            generators.
    """
    annotation = _anything(_awaited(NoneType if annotation is None else annotation))
    if annotation is inspect.Signature.empty or isinstance(annotation, (str, typing.TypeVar)):
        return PlainCodec(annotation if isinstance(annotation, str) else Any, function=function)
    members = list(parts(annotation))
    exact = _EXACT.get(members[0]) if len(members) == 1 and isinstance(members[0], abc.Hashable) else None
    if exact is not None:
        return exact(members[0], function=function)
    inside = list(reachable(annotation))
    _refuse(inside, function)
    return _structured(annotation, inside, function)


def _awaited(annotation: object) -> object:
    if typing.get_origin(annotation) in {abc.Awaitable, abc.Coroutine}:
        return typing.get_args(annotation)[-1]
    return annotation


def _anything(annotation: object) -> object:
    """``dict[str, object]`` as ``dict[str, Any]``: it tells as little, and is carried faster."""
    if annotation is object:
        return Any
    origin, given = typing.get_origin(annotation), typing.get_args(annotation)
    if origin not in (dict, list, tuple, set, frozenset) or object not in given:
        return annotation
    return types.GenericAlias(origin, tuple(map(_anything, given)))


def _refuse(inside: list[object], function: str) -> None:
    for kind in inside:
        if not isinstance(kind, type):
            continue
        named = f"{kind.__module__}.{kind.__qualname__}"
        if is_mapped(kind):
            raise UncacheableValue(f"{function} cannot be cached: {named} {_MAPPED}")
        if issubclass(kind, _ONCE) or kind in {abc.Iterable, abc.Callable}:
            raise UncacheableValue(
                f"{function} cannot be cached: a {named} holds no value; return a list or other data"
            )


def _structured(annotation: object, inside: list[object], function: str) -> Codec:
    if all(_is_native(kind) for kind in inside):
        try:
            return (_Json if datetime in inside else _Msgpack)(annotation, function=function)
        except (TypeError, NameError):  # a union that msgspec cannot tell apart
            pass
    try:
        return _Pydantic(annotation, function=function)
    except (pydantic.errors.PydanticUserError, TypeError, NameError) as error:
        raise UncacheableValue(
            f"{function} cannot be cached: {describe(annotation)} has no form that can be stored; "
            f"return a model, dataclass or plain data"
        ) from error


def _is_native(kind: object) -> bool:
    """Whether msgspec itself knows a class; its own rule for others is to leave them to hooks."""
    if kind in _NATIVE or kind in {Any, Literal, Ellipsis}:
        return True
    if not isinstance(kind, type) or hasattr(kind, "__pydantic_validator__"):
        return False
    return issubclass(kind, Enum) or field_types(kind) is not None
