"""The shape of a pydantic model, read from the schema that pydantic itself validates and dumps by."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic_core import to_json

from pitstop.errors import ReadModelError
from pitstop.sql.read_model.shape import Field, Many, Object, Refused, Scalar, Shape, Value

__all__ = ["read_model_shape"]

Schema = Mapping[str, Any]

_PLAIN = frozenset(("any", "bool", "decimal", "int", "uuid"))
_EMPTY = (list, dict, set, tuple, frozenset)
_JSON_KINDS = frozenset(("any", "bool", "float", "int", "str", "json"))
_BYTES = {"utf8": "utf8", "base64": "base64url", "hex": "hex"}
_DURATIONS = {"iso8601": "iso", "float": "seconds", "seconds_float": "seconds"}


def read_model_shape(model: type[BaseModel]) -> Shape:
    """The shape of a model as ``model_dump_json(by_alias=True)`` writes it.

    Raises:
        ReadModelError: the model as a whole is made by Python code, or is no object.
    """
    schema = TypeAdapter(model).core_schema
    found = _Reader(schema).value(schema)
    if isinstance(found, Object):
        return found.shape
    reason = found.reason if isinstance(found, Refused) else "is no object"
    raise ReadModelError(f"{model.__name__} {reason}: postgresql cannot do that, use a plain model")


class _Reader:
    """Reads one schema; models that are being read stand in ``open``, to notice those inside themselves."""

    def __init__(self, schema: Schema) -> None:
        self._definitions = {each["ref"]: each for each in schema.get("definitions", ())}
        self._open: list[type] = []
        self._config: Mapping[str, Any] = {}

    def value(self, schema: Schema) -> Value:
        """What a schema describes."""
        reason = _code_of(schema)
        if reason:
            return Refused(reason)
        kind = schema["type"]
        if kind in ("definitions", "default", "nullable"):
            return self.value(schema["schema"])
        reader: Callable[[Schema], Value] | None = getattr(self, f"_{kind.replace('-', '_')}", None)
        if reader is not None:
            return reader(schema)
        return Scalar(kind) if kind in _PLAIN else Refused(f"has the type {kind!r}, which has no column")

    def _definition_ref(self, schema: Schema) -> Value:
        return self.value(self._definitions[schema["schema_ref"]])

    def _list(self, schema: Schema) -> Value:
        item = self.value(schema.get("items_schema", {"type": "any"}))
        return item if isinstance(item, Refused) else Many(item)

    _set = _frozenset = _list

    def _tuple(self, schema: Schema) -> Value:
        items = schema["items_schema"]
        if len(items) != 1 or schema.get("variadic_item_index") != 0:
            return Refused("is a tuple of fixed length")
        return self._list({"items_schema": items[0]})

    def _json_or_python(self, schema: Schema) -> Value:
        inner = schema["json_schema"]
        if inner["type"] != "list":  # a typing.Sequence
            return Refused("has a type that python code makes")
        return self.value(inner)

    def _model(self, schema: Schema) -> Value:
        model = schema["cls"]
        reason = _model_code(schema)
        if reason:
            return Refused(reason)
        if model in self._open:
            return Refused(f"refers to {model.__name__} itself: write one model for each level")
        outer, self._config = self._config, schema.get("config", {})
        self._open.append(model)
        try:
            return Object(self._fields(model, schema["schema"]))
        finally:
            self._open.pop()
            self._config = outer

    def _fields(self, model: type, schema: Schema) -> Shape:
        fields = [
            self._field(name, each)
            for name, each in schema["fields"].items()
            if not each.get("serialization_exclude")
        ]
        fields += [_computed(each) for each in schema.get("computed_fields", ())]
        return Shape(model.__name__, tuple(fields))

    def _field(self, name: str, field: Schema) -> Field:
        value = self.value(field["schema"])
        if field.get("serialization_exclude_if"):
            value = Refused("has exclude_if")
        default, problem = _default(field["schema"])
        key = field.get("serialization_alias") or name
        return Field(name, key, (*_aliases(field.get("validation_alias")), (name,)), value, default, problem)

    def _str(self, schema: Schema) -> Value:
        changes = ("strip_whitespace", "to_lower", "to_upper")
        for each in changes:
            if schema.get(each, self._config.get(f"str_{each}")):
                return Refused(f"is changed by {each}")
        return Scalar("str")

    def _datetime(self, schema: Schema) -> Value:
        return self._temporal("datetime")

    def _date(self, schema: Schema) -> Value:
        return self._temporal("date")

    def _time(self, schema: Schema) -> Value:
        return self._temporal("time")

    def _temporal(self, kind: Any) -> Value:
        style = self._config.get("ser_json_temporal", "iso8601")
        return Scalar(kind) if style == "iso8601" else Refused(f"is dumped as {style} (ser_json_temporal)")

    def _timedelta(self, schema: Schema) -> Value:
        style = self._config.get("ser_json_temporal", self._config.get("ser_json_timedelta", "iso8601"))
        if style not in _DURATIONS:
            return Refused(f"is dumped as {style} (ser_json_timedelta)")
        return Scalar("timedelta", _DURATIONS[style])

    def _float(self, schema: Schema) -> Value:
        style = self._config.get("ser_json_inf_nan", "null")
        if style not in ("null", "strings"):
            return Refused("is dumped as NaN (ser_json_inf_nan='constants'), which is not JSON")
        return Scalar("float", style)

    def _bytes(self, schema: Schema) -> Value:
        return Scalar("bytes", _BYTES[self._config.get("ser_json_bytes", "utf8")])

    def _enum(self, schema: Schema) -> Value:
        return Scalar("enum", members=tuple(each.value for each in schema["members"]), enum=schema["cls"])

    def _literal(self, schema: Schema) -> Value:
        return Scalar("literal", members=tuple(schema["expected"]))

    def _dict(self, schema: Schema) -> Value:
        parts = [self.value(schema.get(f"{part}_schema", {"type": "any"})) for part in ("keys", "values")]
        return Scalar("json") if all(map(_is_json, parts)) else Refused("is a dict of what is not plain JSON")

    def _union(self, schema: Schema) -> Value:
        return Refused("is a union of types")

    _tagged_union = _union


def _is_json(value: Value) -> bool:
    if isinstance(value, Many):
        return _is_json(value.item)
    return isinstance(value, Scalar) and value.kind in _JSON_KINDS


def _code_of(schema: Schema) -> str:
    """The Python code that makes or writes such a value."""
    if schema["type"].startswith("function-"):
        return "has a validator"
    if "serialization" in schema and schema["type"] != "json-or-python":
        return "has a serializer"
    return ""


def _model_code(schema: Schema) -> str:
    if schema.get("root_model"):
        return "is a RootModel"
    init = getattr(schema["cls"].__init__, "__module__", "").partition(".")[0]
    if schema.get("custom_init") and init != "sqlmodel":  # SQLModel's own does as pydantic's
        return "has an __init__ of its own"
    post_init = getattr(schema["cls"], schema.get("post_init") or "", None)
    private = getattr(post_init, "__name__", "") in ("init_private_attributes", "wrapped_model_post_init")
    if schema.get("post_init") and post_init is not BaseModel.model_post_init and not private:
        return "has model_post_init"
    inner = schema["schema"]
    return "" if inner["type"] == "model-fields" else _code_of(inner) or "is no plain model"


def _computed(schema: Schema) -> Field:
    name = schema["property_name"]
    return Field(name, schema.get("alias") or name, ((name,),), Refused("is computed in python"))


def _aliases(alias: Any) -> tuple[tuple[str, ...], ...]:
    """The paths of a validation alias: a name, a path, or several of those."""
    if alias is None:
        return ()
    if isinstance(alias, str):
        return ((alias,),)
    paths = [alias] if not isinstance(alias[0], list) else alias
    return tuple(tuple(map(str, path)) for path in paths)


def _default(schema: Schema) -> tuple[str | None, str]:
    """The default as JSON text, and why there is none."""
    while schema["type"] in ("nullable", "function-before", "function-after", "function-wrap"):
        schema = schema["schema"]
    if schema["type"] != "default":
        return None, ""
    if "default" in schema:
        return to_json(schema["default"], by_alias=True).decode(), ""
    factory = schema["default_factory"]
    if factory in _EMPTY:
        return to_json(factory()).decode(), ""
    return None, "has a default_factory"
