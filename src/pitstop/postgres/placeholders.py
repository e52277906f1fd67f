"""Which values of a statement change from one execution to the next, and what they are compared with."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Literal

__all__ = ["MOST_SKIPPED", "compared_columns", "only_pages", "skipped_rows", "split_literals"]

Role = Literal["range", "limit", "list", "equal", "other"]

_PLACE = r"(?:\$\d+|%\(\w+\)s|%s|\?|(?<![\w:]):[A-Za-z_]\w*)"
_CAST = r"(?:::\s*[A-Za-z_][\w. ]*(?:\[\])*)?"
_FIND = re.compile(_PLACE)
_OPERATOR = re.compile(
    r"(?P<column>[\w.\"]+|\))?\s*(?P<operator><=|>=|<>|!=|=|<|>|\bin\b|\blimit\b|\boffset\b|\bfirst\b"
    r"|\bbetween\b)\s*(?P<any>any\b|all\b)?[\s(]*$",
    re.IGNORECASE,
)
_MORE = re.compile(rf"{_CAST}\s*,")
_NEXT = re.compile(rf"{_CAST}\s*(?:,\s*|\)\s*,\s*\(\s*)")
_ROW_ENDS = re.compile(r"[^()]*\)\s*,\s*\(")
_AND = re.compile(rf"{_CAST}\s+and\s+", re.IGNORECASE)
_RANGES = {"<", ">", "<=", ">=", "between"}
_WINDOW = 160
MOST_SKIPPED = 2**31
_OFFSET = re.compile(rf"\boffset\s+\(?\s*(?:(?P<place>{_PLACE})|(?P<rows>\d+))", re.IGNORECASE)


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


def skipped_rows(text: str, parameters: object) -> int:
    """How many rows an execution skips by OFFSET; 0 where it has none, or one that cannot be read.

    Never more than :data:`MOST_SKIPPED`: whoever asks for more skips a whole table, and sums stay in 64 bits.

    Args:
        text: the SQL as the driver got it.
        parameters: likewise.
    """
    key, rows = _offset(text)
    if key is None:
        return min(rows, MOST_SKIPPED)
    value: object = None
    if isinstance(parameters, Mapping):
        value = parameters.get(key)
    elif isinstance(parameters, Sequence) and isinstance(key, int) and key < len(parameters):
        value = parameters[key]
    return min(max(value, 0), MOST_SKIPPED) if isinstance(value, int) else 0


@lru_cache(maxsize=2048)
def _offset(text: str) -> tuple[int | str | None, int]:
    """Where the value of OFFSET stands in the parameters, or None and the number in the text."""
    found = _OFFSET.search(text)
    if found is None or not found["place"]:
        return None, int(found["rows"][:19]) if found is not None else 0
    return _key(found["place"], len(_FIND.findall(text, 0, found.start("place")))), 0


def _differing(first: object, other: object) -> list[int | str]:
    if isinstance(first, Mapping) and isinstance(other, Mapping):
        return [str(key) for key in first.keys() | other.keys() if first.get(key) != other.get(key)]
    if isinstance(first, Sequence) and isinstance(other, Sequence) and len(first) == len(other):
        return [index for index in range(len(first)) if first[index] != other[index]]
    return []


def _places(text: str) -> dict[int | str, tuple[Role, str]]:
    places: dict[int | str, tuple[Role, str]] = {}
    before: re.Match[str] | None = None
    role: Role = "other"
    column = ""
    for index, match in enumerate(_FIND.finditer(text)):
        if before is None or not _continues(text, before, match, role):
            role, column = _role(text, match)
        key = _key(match.group(), index)
        if key not in places or role == "range":
            places[key] = (role, column)
        before = match
    return places


def _continues(text: str, before: "re.Match[str]", match: "re.Match[str]", role: Role) -> bool:
    """Whether a place belongs with the one before: further in a list or row, or BETWEEN's second bound."""
    if role in ("list", "range", "equal") and _NEXT.fullmatch(text, before.end(), match.start()):
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
    if operator == "in":
        return ("list" if _has_several(text, match, found) else "equal"), column
    return "other", column


def _has_several(text: str, match: "re.Match[str]", found: "re.Match[str]") -> bool:
    """Whether the list after IN, which begins at this place, has more than one value or row."""
    if found.group().endswith("(("):
        return bool(_ROW_ENDS.match(text, match.end()))
    return bool(_MORE.match(text, match.end()))


_LITERAL = re.compile(r"'(?:[^']|'')*'|(?<![\w.\"$])\d+(?:\.\d+)?")


def split_literals(text: str) -> tuple[str, tuple[str, ...]]:
    """A statement whose values were pasted into its text, with ``?`` in their place, and the values."""
    return _LITERAL.sub("?", text), tuple(_LITERAL.findall(text))
