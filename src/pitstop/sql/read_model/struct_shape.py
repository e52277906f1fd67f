"""The shape of a msgspec Struct, read from what msgspec tells of the type."""

import inspect
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import NODEFAULT, UNSET, Struct
from msgspec import inspect as types

from pitstop.errors import ReadModelError
from pitstop.sql.read_model.shape import Field, Many, Object, Refused, Scalar, Shape, Value

__all__ = ["read_struct_shape"]

_SCALARS: dict[type, Scalar] = {
    types.AnyType: Scalar("any"),
    types.BoolType: Scalar("bool"),
    types.BytesType: Scalar("bytes", "base64"),
    types.DateType: Scalar("date"),
    types.DateTimeType: Scalar("datetime"),
    types.DecimalType: Scalar("decimal"),
    types.FloatType: Scalar("float", "null"),
    types.IntType: Scalar("int"),
    types.StrType: Scalar("str"),
    types.TimeDeltaType: Scalar("timedelta", "iso-seconds"),
    types.TimeType: Scalar("time"),
    types.UUIDType: Scalar("uuid"),
}
_JSON = (types.AnyType, types.BoolType, types.FloatType, types.IntType, types.NoneType, types.StrType)
_EMPTY = (list, dict, set, tuple, frozenset)


def read_struct_shape(struct: type[Struct]) -> Shape:
    """The shape of a Struct as ``msgspec.json.encode`` writes it.

    Raises:
        ReadModelError: the Struct as a whole is made by Python code, or is written as an array.
    """
    found = _struct(struct, ())
    if isinstance(found, Object):
        return found.shape
    raise ReadModelError(
        f"{struct.__name__} {found.reason}: postgresql cannot do that, use a plain Struct"
        if isinstance(found, Refused)
        else f"{struct.__name__} is no object: use a plain Struct"
    )


def _struct(struct: Any, outer: tuple[type, ...]) -> Value:
    if struct in outer:
        return Refused(f"refers to {struct.__name__} itself: write one Struct for each level")
    config = struct.__struct_config__
    if config.array_like:
        return Refused("is array_like")
    if config.omit_defaults:
        return Refused("has omit_defaults")
    if inspect.getattr_static(struct, "__post_init__", None) is not None:
        return Refused("has __post_init__")
    told = types.type_info(struct)
    fields = tuple(_field(each, (*outer, struct)) for each in told.fields)  # type: ignore[attr-defined]
    tag = ((config.tag_field, _json(config.tag)),) if config.tag is not None else ()
    return Object(Shape(struct.__name__, fields, tag))


def _field(field: types.Field, outer: tuple[type, ...]) -> Field:
    default, problem = _default(field)
    return Field(field.name, field.encode_name, ((field.name,),), _value(field.type, outer), default, problem)


def _value(told: types.Type, outer: tuple[type, ...]) -> Value:
    told = _without_metadata(told)
    if type(told) in _SCALARS:
        return _SCALARS[type(told)]
    reader = _READERS.get(type(told))
    if reader is None:
        return Refused(f"has a type that has no column ({type(told).__name__})")
    return reader(told, outer)


def _union(told: Any, outer: tuple[type, ...]) -> Value:
    rest = [each for each in told.types if not isinstance(each, types.NoneType)]
    return _value(rest[0], outer) if len(rest) == 1 else Refused("is a union of types")


def _array(told: Any, outer: tuple[type, ...]) -> Value:
    item = _value(told.item_type, outer)
    return item if isinstance(item, Refused) else Many(item)


def _enum(told: Any, outer: tuple[type, ...]) -> Value:
    return Scalar("enum", members=tuple(each.value for each in told.cls), enum=told.cls)


def _literal(told: Any, outer: tuple[type, ...]) -> Value:
    return Scalar("literal", members=tuple(told.values))


def _dict(told: Any, outer: tuple[type, ...]) -> Value:
    return Scalar("json") if _is_json(told) else Refused("is a dict of what is not plain JSON")


_READERS: dict[type, Callable[[Any, tuple[type, ...]], Value]] = {
    types.CollectionType: _array,
    types.DictType: _dict,
    types.EnumType: _enum,
    types.FrozenSetType: _array,
    types.ListType: _array,
    types.LiteralType: _literal,
    types.SetType: _array,
    types.StructType: lambda told, outer: _struct(told.cls, outer),
    types.UnionType: _union,
    types.VarTupleType: _array,
}


def _without_metadata(told: types.Type) -> types.Type:
    return told.type if isinstance(told, types.Metadata) else told


def _is_json(told: types.Type) -> bool:
    """Whether JSON of this type comes out of Python as it went in."""
    told = _without_metadata(told)
    if isinstance(told, types.UnionType):
        return all(map(_is_json, told.types))
    if isinstance(told, types.DictType):
        return _is_json(told.key_type) and _is_json(told.value_type)
    if isinstance(told, types.ListType):
        return _is_json(told.item_type)
    return isinstance(told, _JSON)


def _default(field: types.Field) -> tuple[str | None, str]:
    """The default as JSON text, and why there is none."""
    if field.default is UNSET:
        return None, "is left out when it is UNSET"
    if field.default is not NODEFAULT:
        return _json(field.default), ""
    if field.default_factory is NODEFAULT:
        return None, ""
    return (
        (_json(field.default_factory()), "")
        if field.default_factory in _EMPTY
        else (None, "has a default_factory")
    )


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
