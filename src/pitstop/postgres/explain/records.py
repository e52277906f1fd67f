"""The expanded form of psql (``\\x``): each line of a plan is a record, with a name before it."""

import re
from collections.abc import Sequence

__all__ = ["unrecord"]

_LABEL = re.compile(r"\s*QUERY PLAN(?P<bar> ?[|│] ?|,| )(?P<value>.*)", re.IGNORECASE)
_MORE = re.compile(r"\s*[|│;]?(?P<mark>[.…]| ?)(?P<value>.*)")  # what stands below a label
_MARKS = (".", "…")


def unrecord(lines: Sequence[str]) -> list[str]:
    """The values alone, those that were broken to fit the screen made whole; other lines stay as they are.

    Args:
        lines: without rulers and outer borders.
    """
    labels = [_LABEL.fullmatch(line) for line in lines]
    if not any(label and label["value"].strip() for label in labels):
        return list(lines)
    values: list[str] = []
    for line, label in zip(lines, labels, strict=True):
        if label:
            values.append(_unquoted(label["value"]) if label["bar"] == "," else label["value"])
        elif values and line.strip():
            _go_on(values, line)
    return values


def _unquoted(value: str) -> str:
    quoted = len(value) > 1 and value.startswith('"') and value.endswith('"')
    return value[1:-1].replace('""', '"') if quoted else value


def _go_on(values: list[str], line: str) -> None:
    """A line without a label: the rest of a broken one, or the next line of a value that has several."""
    more = _MORE.fullmatch(line)
    last = values[-1].rstrip()
    if more and more["mark"] in _MARKS and last.endswith(more["mark"]):
        values[-1] = last[:-1] + more["value"]
    else:
        values.append(more["value"] if more and last.endswith(("+", "↵")) else line)
