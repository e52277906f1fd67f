"""The family of a column's type: what Python gets to see of it, and so what a response may call it."""

from typing import Any, Literal

from sqlalchemy import (
    ARRAY,
    JSON,
    Boolean,
    Date,
    DateTime,
    Enum,
    Float,
    Integer,
    Interval,
    LargeBinary,
    Numeric,
    String,
    Time,
    Uuid,
)
from sqlalchemy.dialects.postgresql import BYTEA, INTERVAL
from sqlalchemy.types import NullType, TypeDecorator, TypeEngine

from pitstop.sql.read_model.shape import Kind, Many, Object, Refused, Scalar, Value

__all__ = ["Family", "family_of", "mismatch", "settle"]

Family = Literal[
    "array",
    "bool",
    "bytes",
    "date",
    "datetime",
    "decimal",
    "enum",
    "float",
    "int",
    "json",
    "str",
    "time",
    "timedelta",
    "unknown",
    "uuid",
    "",
]

# the first that a type is an instance of; Enum is a String and Float a Numeric
_FAMILIES: tuple[tuple[Any, Family], ...] = (
    (Boolean, "bool"),
    (Enum, "enum"),
    (Integer, "int"),
    (Float, "float"),
    (Numeric, "decimal"),
    (String, "str"),
    (DateTime, "datetime"),
    (Date, "date"),
    (Time, "time"),
    ((Interval, INTERVAL), "timedelta"),
    (Uuid, "uuid"),
    ((LargeBinary, BYTEA), "bytes"),
    (JSON, "json"),
    (ARRAY, "array"),
    (NullType, "unknown"),
)
# kind of the response -> families that Python code would take for it, too
_TAKEN: dict[Kind, tuple[Family, ...]] = {
    "decimal": ("int",),
    "enum": ("str", "int"),
    "float": ("int", "decimal"),
    "str": ("enum",),
}
_PLAIN_JSON = frozenset(("any", "bool", "float", "int", "str", "json", "literal"))


def family_of(type_: TypeEngine[Any]) -> Family:
    """The family of a type; empty where Python code stands between the column and the object."""
    if isinstance(type_, TypeDecorator):
        if isinstance(type_, Interval):
            return "timedelta"
        code = type(type_)
        changed = (
            code.process_result_value is not TypeDecorator.process_result_value
            or code.result_processor is not TypeDecorator.result_processor
        )
        return "" if changed else family_of(type_.impl_instance)
    if isinstance(type_, Time) and type_.timezone:
        return ""
    if isinstance(type_, Float) and type_.asdecimal:
        return ""
    if isinstance(type_, Numeric) and not isinstance(type_, Float) and not type_.asdecimal:
        return "float"
    if isinstance(type_, Uuid) and not type_.as_uuid:
        return "str"
    return next((family for classes, family in _FAMILIES if isinstance(type_, classes)), "")


def settle(value: Scalar, type_: TypeEngine[Any]) -> Scalar:
    """What ``Any`` or a literal turns out to be for a column of this type."""
    if value.kind == "literal":
        kinds = {type(each) for each in value.members if each is not None}
        names: dict[type, Kind] = {str: "str", int: "int", bool: "bool"}
        return Scalar(names.get(kinds.pop(), "enum")) if len(kinds) == 1 else value
    family = family_of(type_)
    if value.kind != "any" or family in ("array", "unknown", ""):
        return value
    if isinstance(type_, Enum) and type_.enum_class is not None:
        return Scalar("enum", members=tuple(each.value for each in type_.enum_class), enum=type_.enum_class)
    styles = {"bytes": "utf8", "timedelta": "iso", "float": "null"}
    return Scalar(family, styles.get(family, ""))  # type: ignore[arg-type]  # the rest are kinds


def mismatch(value: Value, type_: TypeEngine[Any]) -> str:
    """Why a column of this type cannot give this value, completing "Model.field ..."; empty if it can."""
    if isinstance(value, Refused):
        return value.reason
    if isinstance(value, Object):
        return f"is an object, but the column has the type {type_!r}"
    family = family_of(type_)
    if not family:
        return f"is read from a column of the type {type_!r}, which python code turns into an object"
    if isinstance(value, Many):
        return _array_mismatch(value, type_, family)
    value = settle(value, type_)
    if family == "unknown" or value.kind == family or (value.kind == "any" and family == "array"):
        return "" if value.kind != "enum" else _enum_mismatch(value, type_, family)
    if family in _TAKEN.get(value.kind, ()) and value.kind != "str":
        return "" if value.kind != "enum" else _enum_mismatch(value, type_, family)
    if value.kind == "str" and isinstance(type_, Enum):
        return _name_mismatch(type_)
    if value.kind == "int" and isinstance(type_, Numeric) and type_.scale == 0:
        return ""
    if family == "json" and value.kind in _PLAIN_JSON:
        return ""
    return f"is {value.kind} in the response, but its column has the type {type_!r}"


def _array_mismatch(value: Many, type_: TypeEngine[Any], family: Family) -> str:
    if isinstance(type_, ARRAY):
        if isinstance(value.item, Many):
            inner = value.item.item
            plain = isinstance(inner, Scalar) and inner.kind in ("int", "str", "bool", "uuid", "date")
            return mismatch(inner, type_.item_type) if plain else "is an array of arrays of what is not plain"
        return mismatch(value.item, type_.item_type)
    if family == "unknown":
        return ""
    inner = value.item
    while isinstance(inner, Many):
        inner = inner.item
    if family == "json" and isinstance(inner, Scalar) and inner.kind in _PLAIN_JSON:
        return ""
    return f"is a list, but its column has the type {type_!r}"


def _enum_mismatch(value: Scalar, type_: TypeEngine[Any], family: Family) -> str:
    if isinstance(type_, Enum) and type_.enum_class is not None:
        if type_.enum_class is not value.enum:
            return f"is {getattr(value.enum, '__name__', 'a literal')}, but the column {type_!r}"
        return (
            "" if _plain(value.members) else "has an enum whose values are neither all text nor all numbers"
        )
    wanted = int if family == "int" else str
    fits = all(type(each) is wanted or isinstance(each, wanted) for each in value.members)
    return "" if fits or family == "unknown" else f"has an enum of other values than the column {type_!r}"


def _name_mismatch(type_: Enum) -> str:
    if type_.enum_class is None or issubclass(type_.enum_class, str):
        return ""
    return f"is str in the response, but the column holds {type_.enum_class.__name__}, which is no str"


def _plain(members: tuple[Any, ...]) -> bool:
    return all(isinstance(each, str) for each in members) or all(
        isinstance(each, int) and not isinstance(each, bool) for each in members
    )
