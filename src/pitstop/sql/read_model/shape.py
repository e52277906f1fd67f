"""The shape of a response: a tree of fields, read from a pydantic model or msgspec Struct alone."""

from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, TypeAlias

from pitstop.errors import ReadModelError

__all__ = ["Field", "Kind", "Many", "Object", "Refused", "Scalar", "Shape", "Value", "read_shape"]

Kind = Literal[
    "any",
    "bool",
    "bytes",
    "date",
    "datetime",
    "decimal",
    "enum",
    "float",
    "int",
    "json",
    "literal",
    "str",
    "time",
    "timedelta",
    "uuid",
]


@dataclass(frozen=True, slots=True)
class Scalar:
    """One JSON value that is no row.

    Attributes:
        kind: what the response says it is.
        style: how the response writes it where there is a choice: bytes ``"utf8"``, ``"base64"``,
            ``"base64url"`` or ``"hex"``; timedelta ``"iso"``, ``"iso-seconds"`` or ``"seconds"``; float
            ``"null"`` or ``"strings"``, which is how NaN and the infinities are written.
        members: the values of an enum or literal.
        enum: the class of an enum.
    """

    kind: Kind
    style: str = ""
    members: tuple[Any, ...] = ()
    enum: type[Enum] | None = None


@dataclass(frozen=True, slots=True)
class Many:
    """A JSON array of scalars or of objects."""

    item: "Value"


@dataclass(frozen=True, slots=True)
class Object:
    """A JSON object made of a row."""

    shape: "Shape"


@dataclass(frozen=True, slots=True)
class Refused:
    """A value that only Python can make: ``reason`` completes "Model.field ..."."""

    reason: str


Value: TypeAlias = Scalar | Many | Object | Refused


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a response.

    Attributes:
        name: in Python.
        key: in JSON.
        sources: the attribute paths it may be read from, the first that exists counts.
        value: what it is.
        default: JSON text of its constant default; None when there is none.
        default_problem: why its default cannot be taken over, completing "Model.field ...".
    """

    name: str
    key: str
    sources: tuple[tuple[str, ...], ...]
    value: Value
    default: str | None = None
    default_problem: str = ""


@dataclass(frozen=True, slots=True)
class Shape:
    """The fields of one response model, in their order.

    Attributes:
        name: of the response model.
        fields: its fields.
        constants: keys with JSON text that every object begins with (the tag of a Struct).
    """

    name: str
    fields: tuple[Field, ...]
    constants: tuple[tuple[str, str], ...] = ()


def read_shape(response: type) -> Shape:
    """The shape of a pydantic model or msgspec Struct.

    Raises:
        ReadModelError: it is neither, or the model as a whole is made by Python code.
    """
    if isinstance(response, type):
        from pydantic import BaseModel

        if issubclass(response, BaseModel):
            from pitstop.sql.read_model.pydantic_shape import read_model_shape

            return read_model_shape(response)
        from msgspec import Struct

        if issubclass(response, Struct):
            from pitstop.sql.read_model.struct_shape import read_struct_shape

            return read_struct_shape(response)
    raise ReadModelError(
        f"{response!r} is no response model: give a pydantic model or a msgspec Struct, that of one row"
    )
