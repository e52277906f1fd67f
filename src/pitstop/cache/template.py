"""Templates such as ``"order:{order_id}"``: names made from the arguments of a call."""

import re
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Any
from urllib.parse import quote_from_bytes
from uuid import UUID

from pitstop.cache.parameters import Parameters
from pitstop.errors import SettingsError, UnkeyableArgument

__all__ = ["Field", "Template", "name_part"]

_FIELD = re.compile(r"(\w+)((?:\.\w+|\[[^\]\[]+\])*)")
_STEP = re.compile(r"\.(\w+)|\[([^\]]+)\]")
_UNSHOWN = re.compile(r"[^\w:.,;/@+=%-]", re.ASCII)
_SPECIAL = re.compile("[%:{}\ud800-\udfff]")


def _quoted(text: str) -> str:
    if _SPECIAL.search(text) is None:
        return text
    return _SPECIAL.sub(
        lambda found: quote_from_bytes(found[0].encode("utf-8", "surrogatepass"), safe=""), text
    )


def _shown(value: object) -> str:
    try:
        return name_part(value)
    except TypeError:
        return ""


_PLAIN: dict[type, Callable[[Any], str]] = {int: int.__repr__, str: _quoted, UUID: str, date: date.isoformat}


_BASES: tuple[tuple[type, Callable[[Any], str]], ...] = (
    (UUID, str),  # drivers have a class of their own
    (str, lambda value: _quoted(str.__str__(value))),
    (int, int.__repr__),
)


def name_part(value: object) -> str:
    """One value as a part of a tag's name: ``7`` is ``7``, ``"a:b"`` is ``a%3Ab``.

    Colons, braces, per cent signs and lone surrogates are percent-encoded, so that no value can make the name
    of another tag. Whoever builds a tag by hand from a string of that kind has to do the same.

    Args:
        value: a str, int, UUID, date, or an Enum whose value is one of these.

    Raises:
        TypeError: anything else, None and bool included.
    """
    if isinstance(value, Enum):
        value = value.value
    plain = _PLAIN.get(type(value))
    if plain is not None:
        return plain(value)
    for base, make in _BASES:
        if isinstance(value, base) and not isinstance(value, bool):
            return make(value)
    raise TypeError(f"{type(value).__name__} cannot be part of a name")


def _formatted(value: object) -> str:
    """A value in a tag: just what an f-string makes of it, for that is what a writer's tag is made by."""
    if type(value) is not int:
        name_part(value)  # refuses what makes no name
    return format(value)


@dataclass(frozen=True, slots=True)
class Field:
    """One ``{...}``: the parameter it begins with and the attributes (True) and items (False) after it."""

    text: str
    index: int
    steps: tuple[tuple[bool, Any], ...]

    def value(self, values: Sequence[Any]) -> Any:
        """What it stands for in a call.

        Raises:
            AttributeError, LookupError, TypeError: the argument has no such attribute or item.
        """
        value = values[self.index]
        for attribute, name in self.steps:
            value = getattr(value, name) if attribute else value[name]
        return value


class Template:
    """A template of a function, read once.

    Args:
        text: literal text with ``{parameter}``, ``{parameter.attribute}`` or ``{parameter[item]}``.
        parameters: of the function.
        function: the function's name, for messages.

    Raises:
        SettingsError: it is empty, cannot be read, or names no parameter of the function.
    """

    def __init__(self, text: str, *, parameters: Parameters, function: str) -> None:
        self.text = text
        self.fields: list[Field] = []
        self._function = function
        self._literals = [""]
        for literal, field in self._parsed():
            self._literals[-1] += literal
            if field is not None:
                self.fields.append(self._field(field, parameters))
                self._literals.append("")
        if not text:
            raise SettingsError(f"{function} has an empty template; write for example 'order:{{order_id}}'")

    def _parsed(self) -> list[tuple[str, str | None]]:
        try:
            found = list(string.Formatter().parse(self.text))
        except ValueError as error:
            raise self._bad(str(error)) from error
        if any(spec or conversion for _, _, spec, conversion in found):
            raise self._bad("write {name} without ! or : inside the braces")
        return [(literal, field) for literal, field, _, _ in found]

    def _field(self, text: str, parameters: Parameters) -> Field:
        match = _FIELD.fullmatch(text)
        if match is None:
            raise self._bad(f"'{{{text}}}' is neither a parameter nor an attribute or item of one")
        index = parameters.index.get(match[1])
        if index is None:
            raise self._bad(
                f"there is no parameter '{match[1]}'; there are: {', '.join(parameters.names) or 'none'}"
            )
        steps = (
            (bool(name), name or (int(item) if item.isdecimal() else item))
            for name, item in _STEP.findall(match[2])
        )
        return Field(text, index, tuple(steps))

    def _bad(self, why: str) -> SettingsError:
        return SettingsError(f"template {self.text!r} of {self._function} cannot be filled: {why}")

    def shown(self, values: Sequence[Any]) -> str:
        """The same for a reader's eye: without values that make no name, and cut to 64 characters."""
        text = self._literals[0]
        for value, literal in zip(values, self._literals[1:], strict=True):
            text += _shown(value) + literal
        return _UNSHOWN.sub("_", text)[:64]

    def fill(self, values: Sequence[Any]) -> str:
        """The name of a tag for one call, as an f-string of the same text would make it.

        Args:
            values: of all parameters, in their order.

        Raises:
            UnkeyableArgument: a field is None or of a type that makes no name.
        """
        text = self._literals[0]
        for field, literal in zip(self.fields, self._literals[1:], strict=True):
            try:
                value = field.value(values) if field.steps else values[field.index]
                text += (value if type(value) is str else _formatted(value)) + literal
            except (AttributeError, LookupError, TypeError) as error:
                raise UnkeyableArgument(
                    f"template {self.text!r} of {self._function} cannot be filled: "
                    f"{{{field.text}}}: {error}; use a str, int, UUID, date or Enum"
                ) from error
        return text
