"""What a response model can show: the names of all its fields, nested ones included."""

import dataclasses
import typing
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

__all__ = ["response_fields", "response_models"]

_ANYTHING = (Any, object, dict, typing.Mapping, typing.TypeVar)


def response_models(annotation: object) -> frozenset[type] | None:
    """The models (pydantic, dataclasses, typed dictionaries) within a response model, itself included.

    Returns:
        None when it may show anything: there is none, or it has ``Any``, a dictionary, or a class that is no
        model somewhere.
    """
    found: set[type] = set()
    return frozenset(found) if _collect(annotation, found) and found else None


def response_fields(models: frozenset[type]) -> frozenset[str]:
    """The names of the fields of models, and their aliases."""
    names: set[str] = set()
    for model in models:
        names.update(name for name, _ in _fields(model))
        if issubclass(model, BaseModel):
            for field in model.model_fields.values():
                aliases = (field.alias, field.validation_alias, field.serialization_alias)
                names.update(_words(alias) for alias in aliases if alias is not None)
    return frozenset(names)


def _words(alias: object) -> str:
    return alias if isinstance(alias, str) else repr(alias)


def _collect(annotation: object, found: set[type]) -> bool:
    """Whether all of it is known."""
    if annotation in _ANYTHING or isinstance(annotation, typing.TypeVar):
        return False
    arguments = typing.get_args(annotation)
    if arguments:
        if typing.get_origin(annotation) is typing.Literal:
            return True
        inner = arguments[:1] if hasattr(annotation, "__metadata__") else arguments
        return all(each is Ellipsis or _collect(each, found) for each in inner)
    if not isinstance(annotation, type):
        return annotation is None
    if not _is_model(annotation):
        return _is_value(annotation)
    return annotation in found or _collect_model(annotation, found)


def _collect_model(model: type, found: set[type]) -> bool:
    if issubclass(model, BaseModel) and model.model_config.get("extra") == "allow":
        return False
    found.add(model)
    return all(_collect(kind, found) for _, kind in _fields(model))


def _is_model(kind: type) -> bool:
    return issubclass(kind, BaseModel) or dataclasses.is_dataclass(kind) or typing.is_typeddict(kind)


def _is_value(kind: type) -> bool:
    """Whether a class shows one value: it is no container of anything, and no mapped class."""
    return not hasattr(kind, "__mapper__") and not issubclass(kind, (dict, list, tuple, set, frozenset))


def _fields(model: type) -> Iterator[tuple[str, object]]:
    if issubclass(model, BaseModel):
        yield from ((name, field.annotation) for name, field in model.model_fields.items())
        yield from ((name, field.return_type) for name, field in model.model_computed_fields.items())
    else:
        yield from typing.get_type_hints(model).items()
