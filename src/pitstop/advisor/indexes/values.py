"""Values for the parameters of a statement: out of the rows of the columns that they are compared with."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from pitstop.advisor.indexes.clause import Clause
from pitstop.advisor.indexes.scan import Scan, read_scans
from pitstop.advisor.indexes.table import Table, read_tables
from pitstop.advisor.whatif import Replica
from pitstop.advisor.whatif.asking import first_line
from pitstop.errors import WhatIfError
from pitstop.postgres.fingerprint import TOKEN

__all__ = ["find_values"]

_SETS = 5
_SCANNED = 2_000
_PLACE = re.compile(r"\(?\$(\d+)\)?(?:::[\w\s.]+(?:\(\d+(?:,\d+)?\))?)?")
_ANY = re.compile(r"ANY ?\((\$\d+)\)")
_COUNT = re.compile(r"\b(limit|offset)\s+\$(\d+)", re.IGNORECASE)
_COUNTS = {"limit": "10", "offset": "0"}
_SPAN = re.compile(r"\$(\d+)::interval\b", re.IGNORECASE)
_SET = re.compile(r"\bset\b(.*?)(?:\bwhere\b|\bfrom\b|\breturning\b|$)", re.IGNORECASE | re.DOTALL)
_ASSIGNED = re.compile(r'("(?:[^"]|"")+"|[^\W\d][\w$]*)\s*=\s*\$(\d+)')
_PATTERN_CHARS = 5
_SAMPLED = ("equal", "list", "range", "contains", "overlap", "pattern")

Values = tuple[str | None, ...]


def find_values(replica: Replica, statement: str) -> list[Values]:
    """Sets of values that a statement can be run with; one empty set if it has no parameters.

    A parameter that is compared with a column gets what stands there, in rows taken at random (the same
    every time); those of one table come out of one row.

    Args:
        replica: a copy with rows.
        statement: SQL.

    Raises:
        WhatIfError: a parameter is compared with no column.
    """
    count = max((int(each) for each in _placeholders(statement)), default=0)
    if not count:
        return [()]
    tables = read_tables(replica.connection)
    columns = {name: list(table.columns) for name, table in tables.items()}
    scans = read_scans(replica.logical_plan(statement), columns)
    found: list[dict[int, str]] = [dict(_constants(statement)) for _ in range(_SETS)]
    for scan in scans:
        table = tables.get(f"{scan.schema}.{scan.table}")
        if table is not None:
            _add_values(replica.connection, table, _places(scan, table, statement), found)
    missing = [number for number in range(1, count + 1) if number not in found[0]]
    if missing:
        raise WhatIfError(f"no value is known for ${missing[0]}: write one into the statement")
    return [tuple(each.get(number) for number in range(1, count + 1)) for each in found]


def _placeholders(statement: str) -> Iterator[str]:
    for match in TOKEN.finditer(statement):
        if match.lastgroup == "value" and re.fullmatch(r"\$\d+", match.group()):
            yield match.group()[1:]


def _constants(statement: str) -> Iterator[tuple[int, str]]:
    """Parameters that no column tells: how many rows, and how long ago."""
    for match in _COUNT.finditer(statement):
        yield int(match[2]), _COUNTS[match[1].lower()]
    for match in _SPAN.finditer(statement):
        yield int(match[1]), "1 day"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a parameter stands: with which column or expression, and how it is compared."""

    number: int
    subject: str
    kind: str
    operator: str


def _add_values(
    connection: "psycopg.Connection[dict[str, Any]]",
    table: Table,
    places: Sequence[_Place],
    found: list[dict[int, str]],
) -> None:
    """Put the values of one relation's parameters into the sets, each set out of a row of its own."""
    rows = _sample(connection, table, list(dict.fromkeys(each.subject for each in places))) if places else []
    for number, values in enumerate(found if rows else ()):
        row, other = rows[number % len(rows)], rows[(number + 1) % len(rows)]
        for place in places:
            values.setdefault(place.number, _value(place, row, other, places))


def _value(place: _Place, row: dict[str, str], other: dict[str, str], places: Sequence[_Place]) -> str:
    one = row[place.subject]
    if place.kind == "list":
        return f"{{{_quoted(one)}}}"
    if place.kind == "pattern":
        begun = max(len(one) // 2 - _PATTERN_CHARS // 2, 0)
        inside = re.sub(r"[%_\\]", "_", one[begun : begun + _PATTERN_CHARS])
        return f"%{inside}%" if place.operator.startswith("~~") else re.escape(inside)
    if place.kind == "range" and _is_between(place, places):
        lower, upper = sorted([one, other[place.subject]], key=_sortable)
        return upper if place.operator in ("<", "<=") else lower
    return one


def _places(scan: Scan, table: Table, statement: str) -> list[_Place]:
    sides = [clause for arms in scan.alternatives for arm in arms for clause in arm]
    compared = [each for each in (*scan.clauses, *sides) if each.kind in _SAMPLED]
    found = [
        _Place(number, each.subject, each.kind, each.operator)
        for each in compared
        for number in _numbers(each)
    ]
    assigned = _SET.search(statement) if scan.locked else None
    for match in _ASSIGNED.finditer(assigned[1] if assigned else ""):
        if match[1] in table.columns:
            found.append(_Place(int(match[2]), match[1], "equal", "="))
    return found


def _numbers(clause: Clause) -> list[int]:
    found = _PLACE.fullmatch(clause.other) or (
        _ANY.fullmatch(clause.other) if clause.kind == "list" else None
    )
    return [int(found[1].removeprefix("$"))] if found else []


def _is_between(place: _Place, places: Sequence[_Place]) -> bool:
    """Whether a column has a bound on either side, so that which value is the lower one matters."""
    same = [each for each in places if each.kind == "range" and each.subject == place.subject]
    return len({each.operator[0] for each in same}) > 1


def _sample(
    connection: "psycopg.Connection[dict[str, Any]]", table: Table, subjects: Sequence[str]
) -> list[dict[str, str]]:
    """Rows without nulls in these columns or expressions, spread over the table."""
    some = " and ".join(f"({each}) is not null" for each in subjects)
    texts = ", ".join(f"({each})::text as c{place}" for place, each in enumerate(subjects))
    share = min(100.0, 100.0 * _SCANNED / max(table.rows, 1.0))
    spread = (
        f"select {texts} from {table.name} tablesample bernoulli ({share}) repeatable (7) where {some}"  # noqa: S608
        f" order by md5(({subjects[0]})::text) limit {_SETS}"
    )
    try:
        rows = connection.execute(spread.encode()).fetchall()
    except psycopg.Error as error:
        raise WhatIfError(f"no values can be read from {table.name}: {first_line(error)}") from error
    return [{each: row[f"c{place}"] for place, each in enumerate(subjects)} for row in rows]


def _sortable(text: str) -> tuple[float, str]:
    try:
        return float(text), ""
    except ValueError:
        return 0.0, text


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
