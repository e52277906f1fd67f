"""What the server counted of each statement: the view of the extension ``pg_stat_statements``."""

import re
from dataclasses import dataclass
from importlib import resources
from typing import Any

import psycopg

from pitstop.postgres.fingerprint import fingerprint, normalise, shorten_lists

__all__ = ["ServerStatements", "StatementStats", "query_statements", "server_form"]

_NOT_INSTALLED = (
    "pg_stat_statements is not installed in this database: "
    "run CREATE EXTENSION pg_stat_statements as a superuser"
)
_NOT_PRELOADED = (
    "pg_stat_statements is installed but not loaded: add it to shared_preload_libraries "
    "(ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements') and restart the server"
)
_NOT_ALLOWED = "pg_stat_statements may not be read by this user: GRANT pg_read_all_stats TO {user}"

_CONSTANT = re.compile(r"(?<!\bis )(?<!\bis not )\b(?:true|false|null)\b")
_NEGATIVE = re.compile(
    r"((?:^|[=<>(,+*/|\[]|\b(?:select|and|or|not|between|then|else|when|limit|offset|by|returning)) ?)- \?"
)
_LABEL = re.compile(r"\b(\w+) \. (\w+) as (?:\1_)?\2(?:_\d+)?\b")  # SQLAlchemy's own, of a column of a table
_ARRAY = re.compile(r"\[ \?(?: , \?)+ \]")


@dataclass(frozen=True, slots=True)
class StatementStats:
    """A row of ``pg_stat_statements``; times in milliseconds, blocks of the shared buffers."""

    fingerprint: str
    text: str
    calls: int
    total_ms: float
    mean_ms: float
    max_ms: float
    rows: int
    blocks_hit: int = 0
    blocks_read: int = 0


@dataclass(frozen=True, slots=True)
class ServerStatements:
    """The statements that the server knows.

    Attributes:
        rows: the 5,000 that took the most time, of every user whose statements may be read.
        hidden: how many there are of other users, whose text may not be read.
        missing: why there are none, and what to do about it; empty when they could be read.
    """

    rows: tuple[StatementStats, ...] = ()
    hidden: int = 0
    missing: str = ""


def query_statements(connection: "psycopg.Connection[dict[str, Any]]") -> ServerStatements:
    """Read the view; where it cannot be read, say why.

    Args:
        connection: one with rows as dictionaries; it is only read.
    """
    schema = connection.execute(
        "select quote_ident(nspname) as name"
        "  from pg_extension join pg_namespace on extnamespace = pg_namespace.oid"
        " where extname = 'pg_stat_statements'"
    ).fetchone()
    if schema is None:
        return ServerStatements(missing=_NOT_INSTALLED)
    question = resources.files("pitstop.postgres").joinpath("sql", "statements.sql").read_text("utf-8")
    try:
        with connection.transaction():
            found = connection.execute(question.replace("{schema}", schema["name"])).fetchall()
    except psycopg.errors.ObjectNotInPrerequisiteState:
        return ServerStatements(missing=_NOT_PRELOADED)
    except psycopg.errors.InsufficientPrivilege:
        return ServerStatements(missing=_NOT_ALLOWED.format(user=connection.info.user))
    told = [row for row in found if row["text"] is not None]
    rows = tuple(StatementStats(fingerprint(row["text"]).digest, **row) for row in told)
    return ServerStatements(rows, hidden=len(found) - len(told))


def server_form(text: str) -> str:
    """A statement as the server counts it: it takes constants out that the application's text has, too, and
    counts statements as one that differ in the labels of their columns, of which it shows the first.

    What the application sent and what ``pg_stat_statements`` shows of it have the same form.

    Args:
        text: SQL with any style of placeholder.
    """
    line = _LABEL.sub(r"\1 . \2", _NEGATIVE.sub(r"\1?", _CONSTANT.sub("?", normalise(text))))
    return _ARRAY.sub("[ ? ]", shorten_lists(line))
