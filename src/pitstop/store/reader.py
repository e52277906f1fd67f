"""Reading the record back, and forgetting it."""

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from pitstop.errors import StoreError
from pitstop.store import database
from pitstop.store.totals import (
    CacheTotals,
    Latency,
    Location,
    NPlusOneTotals,
    Observations,
    PoolSettings,
    PoolTotals,
    ScopeTotals,
    StatementTotals,
    UnusedColumn,
)

__all__ = ["read_store", "reset_store"]


def read_store(directory: Path | str) -> Observations:
    """Everything that was observed into a directory; never writes.

    Raises:
        StoreError: nothing was observed yet, or the file is not a record of this version.
    """
    path = Path(directory) / database.FILE_NAME
    if not os.path.exists(path):  # False, not an error, for a name that cannot be
        raise StoreError(f"nothing observed yet in '{directory}': run `pitstop run -- <your command>`")
    try:
        with closing(database.open_read_only(path)) as connection:
            _check_version(connection, directory)
            connection.execute("BEGIN")  # one snapshot for all questions
            return _read(connection)
    except sqlite3.Error as error:
        raise StoreError(
            f"cannot read the record in '{directory}': {error}; forget it with `pitstop run --reset`"
        ) from error


def reset_store(directory: Path | str) -> None:
    """Forget what was observed into a directory; running processes begin a new record there.

    Raises:
        StoreError: the files cannot be removed.
    """
    try:
        for path in Path(directory).glob("store*.sqlite*"):
            path.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"cannot remove the record in '{directory}': {error}") from error


def _check_version(connection: sqlite3.Connection, directory: Path | str) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version != database.VERSION:
        raise StoreError(
            f"the record in '{directory}' has version {version}, this Pitstop reads {database.VERSION}: "
            "observe anew with `pitstop run --reset -- <your command>`"
        )


def _read(connection: sqlite3.Connection) -> Observations:
    found = Observations()
    for row in connection.execute("SELECT * FROM scope ORDER BY total_ms DESC"):
        found.scopes[row[:2]] = ScopeTotals(*row)
    for kind, name, bucket, count in connection.execute("SELECT kind, name, bucket, count FROM latency"):
        if (kind, name) in found.scopes:
            found.scopes[kind, name].latency.merge(Latency({bucket: count}))
    for row in connection.execute(database.question("statements")):
        statement = _statement(row)
        key = (statement.scope_kind, statement.scope, statement.fingerprint, statement.location)
        found.statements[key] = statement
    for row in connection.execute("SELECT * FROM n_plus_one ORDER BY total_ms DESC"):
        finding = _n_plus_one(row)
        places = (finding.query_location, finding.location, finding.callers)
        found.n_plus_one[*row[:5], *places] = finding
    _read_statement_latency(connection, found)
    for row in connection.execute("SELECT namespace, hits, misses, refused FROM cache"):
        found.caches[row[0]] = CacheTotals(*row)
    for row in connection.execute("SELECT name, waits, exhausted, wait_ms, max_wait_ms, held_by FROM pool"):
        found.pools[row[0]] = PoolTotals(*row)
    for *place, size, overflow, recycle_s, pre_ping in connection.execute("SELECT * FROM pool_settings"):
        name, driver, pool = place
        settings = PoolSettings(name, driver, pool, size, overflow, recycle_s, bool(pre_ping))
        found.pool_settings[settings.key] = settings
    for kind, scope, fingerprint, location, *rest in connection.execute("SELECT * FROM unused_column"):
        unused = UnusedColumn(kind, scope, fingerprint, _place(location), *rest)
        found.unused_columns[unused.key] = unused
    return found


def _read_statement_latency(connection: sqlite3.Connection, into: Observations) -> None:
    for fingerprint, bucket, count in connection.execute(
        "SELECT fingerprint, bucket, count FROM statement_latency"
    ):
        into.statement_latency.setdefault(fingerprint, Latency()).merge(Latency({bucket: count}))


def _place(text: str) -> Location | None:
    found = json.loads(text)
    return None if found is None else _location(found)


def _location(found: list[Any]) -> Location:
    return (str(found[0]), int(found[1]), str(found[2]))


def _statement(row: tuple[str, str, str, str, str, int, float, float, int, float, int]) -> StatementTotals:
    scope_kind, scope, fingerprint, location, *rest = row
    return StatementTotals(scope_kind, scope, fingerprint, _place(location), *rest)  # type: ignore[arg-type]


def _n_plus_one(row: tuple[str, ...]) -> NPlusOneTotals:
    scope_kind, scope, kind, parent, relationship, query, location, cure, imports, is_expression, *rest = row
    return NPlusOneTotals(  # type: ignore[call-arg]
        *(scope_kind, scope, kind, parent, relationship, _place(query), _place(location), cure),
        tuple(json.loads(imports)),
        bool(is_expression),
        *rest[:-1],  # type: ignore[arg-type]
        tuple(map(_location, json.loads(rest[-1]))),
    )
