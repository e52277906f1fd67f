"""What the arguments of a cache may be: each check raises ``SettingsError`` and says what to write."""

from collections.abc import Iterable
from typing import cast

from pitstop.errors import SettingsError

__all__ = ["listed", "names", "number", "one_of", "positive"]


def one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """An option that is one of some words."""
    if value not in allowed:
        raise SettingsError(f"{name}={value!r} is none of {', '.join(map(repr, allowed))}")


def positive(name: str, value: float) -> None:
    """Seconds, more than none."""
    if not value > 0:
        raise SettingsError(f"{name}={value!r} is not above zero; give seconds")


def names(what: str, given: Iterable[object]) -> list[str]:
    """Names that were given one by one: a list among them would name nothing, and drop nothing."""
    found = list(given)
    for each in found:
        if not isinstance(each, str):
            raise SettingsError(f"{what} {each!r} is no string; give several as arguments of their own")
    return cast("list[str]", found)


def listed(name: str, given: Iterable[str]) -> tuple[str, ...]:
    """Names that were given as a list: a string would be one of letters."""
    if isinstance(given, str):
        raise SettingsError(f"{name} is {given!r}; write a list: {name}=[{given!r}]")
    return tuple(names(name, given))


def number(name: str, value: float, least: float, most: float) -> None:
    """A number between two others."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise SettingsError(f"{name}={value!r} is no number from {least:g} to {most:g}")
