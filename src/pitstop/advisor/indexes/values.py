"""Values for the parameters of a statement: out of the rows of the columns that they are compared with."""

import re
from collections.abc import Iterator, Sequence
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
    found: list[dict[int, str]] = [dict(_counts(statement)) for _ in range(_SETS)]
    for scan in scans:
        table = tables.get(f"{scan.schema}.{scan.table}")
        if table is not None:
            _add_values(replica.connection, scan, table, found)
    missing = [number for number in range(1, count + 1) if number not in found[0]]
    if missing:
        raise WhatIfError(f"no value is known for ${missing[0]}: write one into the statement")
    return [tuple(each.get(number) for number in range(1, count + 1)) for each in found]


def _placeholders(statement: str) -> Iterator[str]:
    for match in TOKEN.finditer(statement):
        if match.lastgroup == "value" and re.fullmatch(r"\$\d+", match.group()):
            yield match.group()[1:]


def _counts(statement: str) -> Iterator[tuple[int, str]]:
    for match in _COUNT.finditer(statement):
        yield int(match[2]), _COUNTS[match[1].lower()]


def _add_values(
    connection: "psycopg.Connection[dict[str, Any]]", scan: Scan, table: Table, found: list[dict[int, str]]
) -> None:
    """Put the values of one relation's parameters into the sets, each set out of a row of its own."""
    places = [(number, each) for each in _clauses(scan) for number in _numbers(each)]
    if not places:
        return
    subjects = list(dict.fromkeys(clause.subject for _, clause in places))
    rows = _sample(connection, table, subjects)
    if not rows:
        return
    for place, values in enumerate(found):
        row, other = rows[place % len(rows)], rows[(place + 1) % len(rows)]
        for number, clause in places:
            lower, upper = sorted([row[clause.subject], other[clause.subject]], key=_sortable)
            several = row[clause.subject] if clause.kind == "list" else None
            bound = upper if clause.operator in ("<", "<=") else lower
            one = bound if clause.kind == "range" and _is_between(clause, places) else row[clause.subject]
            values.setdefault(number, f"{{{_quoted(several)}}}" if several is not None else one)


def _clauses(scan: Scan) -> list[Clause]:
    sides = [clause for arms in scan.alternatives for arm in arms for clause in arm]
    return [each for each in (*scan.clauses, *sides) if each.kind in ("equal", "list", "range")]


def _numbers(clause: Clause) -> list[int]:
    found = _PLACE.fullmatch(clause.other) or (
        _ANY.fullmatch(clause.other) if clause.kind == "list" else None
    )
    return [int(found[1].removeprefix("$"))] if found else []


def _is_between(clause: Clause, places: Sequence[tuple[int, Clause]]) -> bool:
    """Whether a column has a bound on either side, so that which value is the lower one matters."""
    bounds = {
        each.operator[0] for _, each in places if each.kind == "range" and each.subject == clause.subject
    }
    return len(bounds) > 1


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
