"""What a database says of itself, read in one read-only transaction with a time limit."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from typing import Any, TypeVar

import psycopg
from psycopg.rows import dict_row
from sqlalchemy.dialects.postgresql.base import PGDialect

from pitstop.errors import ServerNotFound
from pitstop.postgres.address import libpq_url
from pitstop.postgres.statements import ServerStatements, StatementStats, query_statements

__all__ = [
    "Catalog",
    "ColumnWidth",
    "ForeignKey",
    "Table",
    "ask",
    "read_catalog",
    "read_only",
    "read_statements",
]

Answer = TypeVar("Answer")

_TIMEOUT_S = 5
_IDENTIFIERS = PGDialect().identifier_preparer  # type: ignore[no-untyped-call] # knows reserved words


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A foreign key without an index. ``rows`` of its table are an estimate.

    ``parent_deletes``: rows that were deleted from the parent since its statistics were reset.
    """

    name: str
    table: str
    parent: str
    columns: tuple[str, ...]
    rows: int
    seq_scans: int
    parent_deletes: int = 0

    @property
    def ddl(self) -> str:
        """The statement that makes the index without blocking writers."""
        return f"CREATE INDEX CONCURRENTLY ON {self.table} ({', '.join(map(_quoted, self.columns))})"


@dataclass(frozen=True, slots=True)
class Table:
    """How a table is read, since its statistics were reset. ``rows`` is an estimate.

    Attributes:
        name: as SQL has to write it, without the schema where the search path finds it.
        qualified_name: ``schema.name``, without quotes.
    """

    name: str
    rows: int
    seq_scans: int
    seq_rows_read: int
    index_scans: int
    qualified_name: str = ""


@dataclass(frozen=True, slots=True)
class ColumnWidth:
    """How wide the values of a column are on average; one stored outside of its row counts as 18 bytes."""

    table: str
    column: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Catalog:
    """What was read. ``statements`` is empty where ``pg_stat_statements`` is not installed."""

    unindexed_foreign_keys: tuple[ForeignKey, ...]
    tables: tuple[Table, ...]
    statements: tuple[StatementStats, ...]
    widths: tuple[ColumnWidth, ...] = ()


def read_catalog(url: str) -> Catalog:
    """Ask a database; nothing is changed and no query takes longer than five seconds.

    Args:
        url: ``postgresql://...``, with or without a driver name.

    Raises:
        SettingsError: the address is not one of PostgreSQL.
        ServerNotFound: nobody answers, or the server refuses.
    """
    return ask(url, _read)


def read_statements(url: str) -> ServerStatements:
    """What the server counted of each statement; asked as :func:`read_catalog` asks.

    Args:
        url: ``postgresql://...``, with or without a driver name.

    Raises:
        SettingsError: the address is not one of PostgreSQL.
        ServerNotFound: nobody answers, or the server refuses.
    """
    return ask(url, query_statements)


@contextmanager
def read_only(url: str) -> "Iterator[psycopg.Connection[dict[str, Any]]]":
    """A connection that can change nothing and waits at most five seconds for an answer.

    Args:
        url: ``postgresql://...``, with or without a driver name.

    Raises:
        SettingsError: the address is not one of PostgreSQL.
        ServerNotFound: nobody answers, or the server refuses a question.
    """
    try:
        with psycopg.connect(libpq_url(url), connect_timeout=_TIMEOUT_S, row_factory=dict_row) as connection:
            connection.read_only = True
            connection.execute(f"set statement_timeout = '{_TIMEOUT_S}s'")
            yield connection
    except psycopg.Error as error:
        raise ServerNotFound(f"cannot read the database: {' '.join(str(error).split())}") from error


def ask(url: str, question: "Callable[[psycopg.Connection[dict[str, Any]]], Answer]") -> Answer:
    """Put a question to a database, on a connection as :func:`read_only` gives it.

    Args:
        url: ``postgresql://...``, with or without a driver name.
        question: gets a connection whose rows are dictionaries.

    Raises:
        SettingsError: the address is not one of PostgreSQL.
        ServerNotFound: nobody answers, or the server refuses.
    """
    with read_only(url) as connection:
        return question(connection)


def _read(connection: "psycopg.Connection[dict[str, Any]]") -> Catalog:
    keys = connection.execute(_sql("unindexed_foreign_keys"))
    foreign_keys = tuple(ForeignKey(**{**row, "columns": tuple(row["columns"])}) for row in keys)
    tables = tuple(Table(**row) for row in connection.execute(_sql("tables")))
    widths = tuple(ColumnWidth(**row) for row in connection.execute(_sql("column_widths")))
    return Catalog(foreign_keys, tables, query_statements(connection).rows, widths)


def _sql(name: str) -> str:
    return resources.files("pitstop.postgres").joinpath("sql", f"{name}.sql").read_text("utf-8")


def _quoted(name: str) -> str:
    return _IDENTIFIERS.quote(name)
