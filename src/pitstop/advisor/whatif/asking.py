"""How a copy is asked for a plan: one statement at a time, the answer's root, the error's first line."""

import json
from typing import Any

import psycopg

from pitstop.errors import WhatIfError
from pitstop.postgres.fingerprint import TOKEN

__all__ = ["explaining", "first_line", "logical_plan", "told_plan"]

_LOGICAL = (
    "enable_indexscan", "enable_indexonlyscan", "enable_bitmapscan", "enable_mergejoin", "enable_memoize",
    "enable_incremental_sort", "enable_gathermerge", "max_parallel_workers_per_gather", "enable_hashagg",
)  # fmt: skip


def explaining(statement: str, options: str) -> str:
    """What to ask; only one statement at a time, as a second one would be executed.

    Args:
        statement: SQL.
        options: of EXPLAIN, beside its format.

    Raises:
        WhatIfError: it is several.
    """
    bare = statement.strip().rstrip(";")
    if any(found.group() == ";" for found in TOKEN.finditer(bare)):
        raise WhatIfError(f"one statement at a time: {statement[:60]!r}")
    return f"explain ({options}, format json) {bare}"


def logical_plan(connection: "psycopg.Connection[dict[str, Any]]", statement: str) -> dict[str, Any]:
    """A plan without any index: each scan, join and sort stands there with the conditions that it has.

    Raises:
        WhatIfError: it cannot be planned; the message is the server's.
    """
    asked = explaining(statement, "generic_plan, verbose")
    try:
        with connection.transaction(force_rollback=True):
            for name in _LOGICAL:
                connection.execute(f"set local {name} = 0".encode())
            plan: dict[str, Any] = told_plan(connection.execute(asked.encode()).fetchone())["Plan"]
            return plan
    except psycopg.Error as error:
        raise WhatIfError(f"cannot plan {statement[:60]!r}: {first_line(error)}") from error


def told_plan(row: "dict[str, Any] | None") -> dict[str, Any]:
    """The document of EXPLAIN: ``"Plan"``, and times if it was executed."""
    assert row is not None
    told = row["QUERY PLAN"]
    document: list[dict[str, Any]] = json.loads(told) if isinstance(told, str) else told
    return document[0]


def first_line(error: psycopg.Error) -> str:
    """What the server said, without where."""
    return str(error).strip().partition("\n")[0]
