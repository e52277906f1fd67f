"""The other way to the same JSON: objects of the ORM, response models, and their own encoders."""

import json
from collections.abc import Sequence
from typing import Any

import msgspec
from pydantic import BaseModel, TypeAdapter


def encoded(objects: Sequence[object], response: type) -> bytes:
    """The JSON array that an endpoint would have answered with."""
    if issubclass(response, BaseModel):
        adapter = TypeAdapter(list[response])  # type: ignore[valid-type]
        return adapter.dump_json(adapter.validate_python(list(objects), from_attributes=True), by_alias=True)
    return msgspec.json.encode([msgspec.convert(each, response, from_attributes=True) for each in objects])


def loaded(data: bytes) -> Any:
    """JSON in a form in which equal documents are equal; a number is not the text of it."""
    return json.loads(data, parse_float=_number, parse_int=_number)


def _number(text: str) -> tuple[str, float | int]:
    value = float(text)
    return ("number", int(text) if abs(value) > 2**53 and "." not in text and "e" not in text else value)
