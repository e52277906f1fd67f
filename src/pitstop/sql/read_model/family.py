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
    "float": ("int", "decimal"),
}
_PLAIN_ELEMENTS = frozenset(("int", "str", "bool", "uuid", "date"))
_PLAIN_JSON = frozenset(("any", "bool", "float", "int", "str", "json", "literal"))


def family_of(type_: TypeEngine[Any]) -> Family:
    """The family of a type; empty where Python code stands between the column and the object."""
    if isinstance(type_, TypeDecorator):
        return "timedelta" if isinstance(type_, Interval) else _decorated(type_)
    if isinstance(type_, Uuid) and not type_.as_uuid:
        return "str"
    if isinstance(type_, Time) and type_.timezone:
        return ""
    if isinstance(type_, (Numeric, Float)) and type_.asdecimal == isinstance(type_, Float):
        return "" if type_.asdecimal else "float"
    return next((family for classes, family in _FAMILIES if isinstance(type_, classes)), "")


def _decorated(type_: "TypeDecorator[Any]") -> Family:
    hooks = ("process_result_value", "result_processor")
    own = any(getattr(type(type_), each) is not getattr(TypeDecorator, each) for each in hooks)
    return "" if own else family_of(type_.impl_instance)


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
    return _scalar_mismatch(settle(value, type_), type_, family)


def _scalar_mismatch(value: Scalar, type_: TypeEngine[Any], family: Family) -> str:
    if value.kind == "enum" and family in ("enum", "str", "int", "unknown"):
        return _enum_mismatch(value, type_, family)
    if value.kind == "str" and isinstance(type_, Enum):
        return _name_mismatch(type_)
    if family in (value.kind, "unknown") or family in _TAKEN.get(value.kind, ()):
        return ""
    if value.kind == "int" and isinstance(type_, Numeric) and type_.scale == 0:
        return ""
    if _is_plain_json(value, family) or (value.kind == "any" and family == "array"):
        return ""
    return f"is {value.kind} in the response, but its column has the type {type_!r}"


def _is_plain_json(value: Value, family: Family) -> bool:
    """Whether a JSON column holds such values as they are."""
    return family == "json" and isinstance(value, Scalar) and value.kind in _PLAIN_JSON


def _array_mismatch(value: Many, type_: TypeEngine[Any], family: Family) -> str:
    if isinstance(type_, ARRAY):
        return _elements_mismatch(value.item, type_.item_type)
    if family == "unknown" or _is_plain_json(_leaf(value), family):
        return ""
    return f"is a list, but its column has the type {type_!r}"


def _elements_mismatch(item: Value, type_: TypeEngine[Any]) -> str:
    leaf = _leaf(item)
    if isinstance(item, Many) and not (isinstance(leaf, Scalar) and leaf.kind in _PLAIN_ELEMENTS):
        return "is an array of arrays of what is not plain"
    return mismatch(leaf, type_)


def _leaf(value: Value) -> Value:
    while isinstance(value, Many):
        value = value.item
    return value


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
