"""Which values of a statement change from one execution to the next, and what they are compared with."""

import re
from collections.abc import Mapping, Sequence
from typing import Literal

__all__ = ["compared_columns", "only_pages", "split_literals"]

Role = Literal["range", "limit", "list", "equal", "other"]

_PLACE = r"(?:\$\d+|%\(\w+\)s|%s|\?|(?<![\w:]):[A-Za-z_]\w*)"
_CAST = r"(?:::\s*[A-Za-z_][\w. ]*(?:\[\])*)?"
_FIND = re.compile(_PLACE)
_OPERATOR = re.compile(
    r"(?P<column>[\w.\"]+|\))?\s*(?P<operator><=|>=|<>|!=|=|<|>|\bin\b|\blimit\b|\boffset\b|\bfirst\b"
    r"|\bbetween\b)\s*(?P<any>any\b|all\b)?[\s(]*$",
    re.IGNORECASE,
)
_COMMA = re.compile(rf"{_CAST}\s*,\s*")
_AND = re.compile(rf"{_CAST}\s+and\s+", re.IGNORECASE)
_RANGES = {"<", ">", "<=", ">=", "between"}
_WINDOW = 300


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


def compared_columns(text: str, first: object, other: object) -> list[str]:
    """The columns that the differing values of two executions are compared with for equality.

    Args:
        text, first, other: as for :func:`only_pages`.
    """
    places = _places(text)
    found = (places.get(key, ("other", "")) for key in _differing(first, other))
    return sorted({column for role, column in found if role == "equal" and column.strip(")")})


def _differing(first: object, other: object) -> list[int | str]:
    if isinstance(first, Mapping) and isinstance(other, Mapping):
        return [str(key) for key in first.keys() | other.keys() if first.get(key) != other.get(key)]
    if isinstance(first, Sequence) and isinstance(other, Sequence) and len(first) == len(other):
        return [index for index in range(len(first)) if first[index] != other[index]]
    return []


def _places(text: str) -> dict[int | str, tuple[Role, str]]:
    places: dict[int | str, tuple[Role, str]] = {}
    matches = list(_FIND.finditer(text))
    role: Role = "other"
    column = ""
    for index, match in enumerate(matches):
        if not (index and _continues(text, matches[index - 1], match, role)):
            role, column = _role(text, match)
            if role == "equal" and index + 1 < len(matches):
                following = matches[index + 1]
                if _COMMA.fullmatch(text, match.end(), following.start()):
                    role = "list"
        key = _key(match.group(), index)
        if key not in places or role == "range":
            places[key] = (role, column)
    return places


def _continues(text: str, before: "re.Match[str]", match: "re.Match[str]", role: Role) -> bool:
    """Whether a place belongs with the one before: further in a list or row, or BETWEEN's second bound."""
    if role in ("list", "range") and _COMMA.fullmatch(text, before.end(), match.start()):
        return True
    return role == "range" and bool(
        _AND.fullmatch(text, before.end(), match.start())
        and re.search(r"\bbetween[\s(]*$", text[max(0, before.start() - 20) : before.start()], re.IGNORECASE)
    )


def _key(place: str, index: int) -> int | str:
    if place.startswith("$"):
        return int(place[1:]) - 1
    if place.startswith("%("):
        return place[2:-2]
    return place[1:] if place.startswith(":") else index


def _role(text: str, match: "re.Match[str]") -> tuple[Role, str]:
    found = _OPERATOR.search(text, max(0, match.start() - _WINDOW), match.start())
    if found is None:
        return "other", ""
    operator = found["operator"].lower()
    column = (found["column"] or "").lower()
    if operator in ("limit", "offset", "first"):
        return "limit", column
    if operator in _RANGES:
        return "range", column
    if operator == "=":
        return ("list" if found["any"] else "equal"), column
    return ("equal" if operator == "in" else "other"), column


_LITERAL = re.compile(r"'(?:[^']|'')*'|(?<![\w.\"$])\d+(?:\.\d+)?")


def split_literals(text: str) -> tuple[str, tuple[str, ...]]:
    """A statement whose values were pasted into its text, with ``?`` in their place, and the values."""
    return _LITERAL.sub("?", text), tuple(_LITERAL.findall(text))
