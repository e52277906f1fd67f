"""Which values of a statement change from one execution to the next, and what they are compared with."""

import re
from collections.abc import Mapping, Sequence
from typing import Literal

__all__ = ["only_pages"]

Role = Literal["range", "limit", "list", "equal", "other"]

_PLACE = r"(?:\$\d+|%\(\w+\)s|%s|\?|(?<![\w:]):[A-Za-z_]\w*)"
_CAST = r"(?:::\s*[A-Za-z_][\w. ]*(?:\[\])*)?"
_FIND = re.compile(_PLACE)
_OPERATOR = re.compile(
    rf"(?P<column>[\w.\"]+|\))?\s*(?P<operator><=|>=|<>|!=|=|<|>|\bin\b|\blimit\b|\boffset\b|\bfirst\b)"
    rf"\s*(?P<any>any\b|all\b)?[\s(]*(?P<before>(?:{_PLACE}{_CAST}\s*,\s*)*)$",
    re.IGNORECASE,
)
_MORE = re.compile(rf"\s*{_CAST}\s*,\s*{_PLACE}", re.IGNORECASE)
_RANGES = {"<", ">", "<=", ">="}


def only_pages(text: str, first: object, other: object) -> bool:
    """Whether two executions of one statement differ only as pages or batches do.

    True when each value that differs is a bound of a range, a limit or offset, or part of a list of
    several values: keyset paging, offset paging, date windows, chunks of ids. Such repeats are no N+1.

    Args:
        text: the SQL as the driver got it.
        first, other: the parameters of two executions, as the driver got them.
    """
    differing = _differing(first, other)
    if not differing:
        return False
    places = _places(text)
    ranged = {column for role, column in places.values() if role == "range" and column}
    return all(
        role in ("range", "limit", "list") or (role == "equal" and column in ranged)
        for role, column in (places.get(key, ("other", "")) for key in differing)
    )


def _differing(first: object, other: object) -> list[int | str]:
    if isinstance(first, Mapping) and isinstance(other, Mapping):
        return [str(key) for key in first.keys() | other.keys() if first.get(key) != other.get(key)]
    if isinstance(first, Sequence) and isinstance(other, Sequence) and len(first) == len(other):
        return [index for index in range(len(first)) if first[index] != other[index]]
    return []


def _places(text: str) -> dict[int | str, tuple[Role, str]]:
    places: dict[int | str, tuple[Role, str]] = {}
    for index, match in enumerate(_FIND.finditer(text)):
        key = _key(match.group(), index)
        found = _role(text, match)
        if key not in places or found[0] == "range":
            places[key] = found
    return places


def _key(place: str, index: int) -> int | str:
    if place.startswith("$"):
        return int(place[1:]) - 1
    if place.startswith("%("):
        return place[2:-2]
    return place[1:] if place.startswith(":") else index


def _role(text: str, match: "re.Match[str]") -> tuple[Role, str]:
    found = _OPERATOR.search(text, max(0, match.start() - 2000), match.start())
    if found is None:
        return "other", ""
    operator = found["operator"].lower()
    column = (found["column"] or "").lower()
    if operator in ("limit", "offset", "first"):
        return "limit", column
    if operator in _RANGES:
        return "range", column
    if operator == "in":
        several = bool(found["before"]) or bool(_MORE.match(text, match.end()))
        return ("list" if several else "equal"), column
    if operator == "=":
        return ("list" if found["any"] else "equal"), column
    return "other", column
