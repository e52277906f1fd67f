"""Asking a server for a plan; nothing but one statement runs, and nothing of it stays.

The statement is prepared, which takes only one and only SELECT, INSERT, UPDATE, DELETE, MERGE or VALUES, in
a read-only transaction with a time limit that is always rolled back.
"""

import re
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import psycopg
from psycopg import sql

from pitstop.errors import PlanError, ServerNotFound
from pitstop.postgres.address import libpq_url
from pitstop.postgres.explain.judging import count
from pitstop.postgres.explain.plan import Plan, parse
from pitstop.postgres.fingerprint import TOKEN

__all__ = ["Asker", "ask", "numbered", "open_asker"]

_Connection: TypeAlias = "psycopg.Connection[tuple[object, ...]]"

_CONNECT_S = 5
_NAME, _PREPARE = "pitstop_{}", "PREPARE {} AS "
_SHOWN = 40  # characters of a statement from where the server stumbled
_EXPLAIN = re.compile(
    r"\s*explain\s*(?:\((?P<options>[^()]*)\)|(?P<analyze>analy[zs]e\b)?\s*(?:verbose\b)?)", re.IGNORECASE
)
_MESSAGES: dict[type[psycopg.Error], str] = {
    psycopg.errors.ReadOnlySqlTransaction: "the statement writes, so it was not executed ({message}): "
    "leave out --analyze to see the plan without executing it",
    psycopg.errors.LockNotAvailable: "a table of the statement is locked by another transaction: try again",
}


def ask(url: str, statement: str, *, analyze: bool = False, timeout_s: float = 30.0) -> Plan:
    """The plan of a statement.

    Args:
        url: ``postgresql://...``, with or without a driver name.
        statement: one statement, with values or with parameters as ``$1``; with parameters the generic plan
            is told.
        analyze: execute it, to learn times and rows; only if it neither writes nor has parameters.
        timeout_s: how long it may take.

    Raises:
        PlanError: it is not one statement, it writes, takes too long, or the server refuses it.
        ServerNotFound: nobody answers at the address.
        SettingsError: the address is not one of PostgreSQL.
    """
    with open_asker(url) as asker:
        return asker.ask(statement, analyze=analyze, timeout_s=timeout_s)


class Asker:
    """Asks for one plan after another, each in a transaction of its own.

    Args:
        connection: nobody else uses it.
    """

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection
        connection.read_only = True

    def ask(self, statement: str, *, analyze: bool = False, timeout_s: float = 30.0) -> Plan:
        """As the function :func:`ask`."""
        statement = _bare(statement)
        try:
            document = _explain(self._connection, statement, analyze=analyze, timeout_s=timeout_s)
        except psycopg.Error as error:
            raise _refusal(error, statement, timeout_s) from error
        finally:
            if not self._connection.closed:
                self._connection.rollback()
        return parse(document)

    def query(
        self, text: str, arguments: Sequence[object], *, timeout_s: float = 30.0
    ) -> list[tuple[Any, ...]]:
        """The rows of a question of ours about the catalog, in a transaction of its own.

        Raises:
            PlanError: the server refuses it.
        """
        try:
            _limit(self._connection, timeout_s)
            return self._connection.execute(text.encode(), arguments).fetchall()
        except psycopg.Error as error:
            raise _refusal(error, text, timeout_s) from error
        finally:
            if not self._connection.closed:
                self._connection.rollback()


@contextmanager
def open_asker(url: str) -> Iterator[Asker]:
    """Connect once for many plans.

    Args:
        url: ``postgresql://...``, with or without a driver name.

    Raises:
        ServerNotFound: nobody answers at the address.
        SettingsError: the address is not one of PostgreSQL.
    """
    try:
        connection: _Connection = psycopg.connect(libpq_url(url), connect_timeout=_CONNECT_S)
    except psycopg.Error as error:
        raise ServerNotFound(f"cannot reach the database: {' '.join(str(error).split())}") from error
    with connection:
        yield Asker(connection)


def numbered(text: str) -> str:
    """A statement as a driver got it, with ``$1``, ``$2`` ... for its placeholders of any style.

    Args:
        text: SQL as recorded.
    """
    numbers: dict[str, int] = {}
    parts: list[str] = []
    for match in TOKEN.finditer(text):
        word = match.group()
        if match.lastgroup == "value" and re.match(r"%\(|%s|:\w|\?$", word):
            key = word if word not in ("%s", "?") else f"{word}{len(numbers)}"
            parts.append(f"${numbers.setdefault(key, len(numbers) + 1)}")
        else:
            parts.append(word)
    return "".join(parts).replace("%%", "%") if numbers else text


def _bare(statement: str) -> str:
    """Without an EXPLAIN in front and a semicolon at the end."""
    match = _EXPLAIN.match(statement)
    text = (statement[match.end() :] if match else statement).strip().rstrip(";").rstrip()
    if not text:
        raise PlanError("the statement is empty: give a SELECT, INSERT, UPDATE, DELETE, MERGE or VALUES")
    return text


def _explain(connection: _Connection, statement: str, *, analyze: bool, timeout_s: float) -> object:
    version = connection.info.server_version
    _limit(connection, timeout_s)
    if version >= 120_000:
        connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
    name = _NAME.format(uuid.uuid4().hex[:12])
    # binary: sent by the extended protocol, which takes one statement only; raw: no sign of it is changed
    psycopg.RawCursor(connection).execute(f"{_PREPARE.format(name)}{statement}".encode(), binary=True)
    counted = connection.execute(
        "SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = %s", [name]
    ).fetchone()
    parameters = int(str(counted[0])) if counted else 0
    if parameters and analyze:
        raise PlanError(
            f"the statement has {count(parameters, 'parameter')}, so it cannot be executed: "
            "write values in their place, or leave out --analyze"
        )
    options = ["FORMAT JSON", "SUMMARY", *(["SETTINGS"] if version >= 120_000 else [])]
    options += ["ANALYZE", "BUFFERS"] if analyze else []
    values = f"({', '.join(['NULL'] * parameters)})" if parameters else ""
    row = connection.execute(f"EXPLAIN ({', '.join(options)}) EXECUTE {name}{values}".encode()).fetchone()
    connection.execute(f"DEALLOCATE {name}".encode())
    return row[0] if row else None


def _limit(connection: _Connection, timeout_s: float) -> None:
    limit = f"{max(round(timeout_s * 1000), 1)}ms"
    connection.execute(sql.SQL("SET LOCAL statement_timeout = {}").format(limit))
    connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(limit))


def _refusal(error: psycopg.Error, statement: str, timeout_s: float) -> PlanError:
    message = (error.diag.message_primary or " ".join(str(error).split())).rstrip(".")
    for kind, text in _MESSAGES.items():
        if isinstance(error, kind):
            return PlanError(text.format(message=message))
    if isinstance(error, psycopg.errors.QueryCanceled):
        return PlanError(
            f"the statement took longer than {timeout_s:g} s and was cancelled: "
            "allow more time, or leave out --analyze"
        )
    if "multiple commands" in message:
        return PlanError("this is more than one statement: give one, nothing was executed")
    hint = f" ({error.diag.message_hint.rstrip('.')})" if error.diag.message_hint else ""
    return PlanError(f"the server refused the statement: {message}{hint}{_place(error, statement)}")


def _place(error: psycopg.Error, statement: str) -> str:
    """Where in the statement the server stumbled; it counts from the PREPARE on, in characters."""
    before = len(_PREPARE.format(_NAME.format("0" * 12)))
    at = int(error.diag.statement_position or 0) - before - 1
    if not 0 <= at < len(statement):
        return ""
    line, column = statement.count("\n", 0, at) + 1, at - statement.rfind("\n", 0, at)
    rest = " ".join(statement[at : at + _SHOWN].split())
    return f", at line {line}, column {column}: {rest}"
