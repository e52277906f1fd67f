"""The database that a what-if copy stands for: read, never written."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from typing import Any

import psycopg

from pitstop.errors import ServerNotFound, WhatIfError
from pitstop.postgres.catalog import read_only

__all__ = ["Target", "open_target", "question"]

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Target:
    """What of a database is not in its dump.

    Attributes:
        connection: can change nothing.
        settings: of the planner, by name.
        pages: of each relation that has any, by its quoted name with the schema.
        plain_order: whether text sorts by its bytes, so that an ordinary index serves ``LIKE 'x%'``.
        extensions: those that pg_dump takes for a part of the server, with their schemas: a private server
            gets some while it is made.
    """

    connection: "psycopg.Connection[Row]"
    settings: dict[str, str]
    pages: dict[str, int]
    plain_order: bool
    extensions: tuple[tuple[str, str], ...]

    def rows(self, table: str) -> float:
        """How many rows a table has as the server estimates it; 0 where it was never analysed.

        Args:
            table: quoted, with its schema.
        """
        found = self.connection.execute(
            "select greatest(reltuples, 0)::float8 as rows from pg_class where oid = to_regclass(%s)", [table]
        ).fetchone()
        return float(found["rows"]) if found is not None else 0.0

    def copy_out(self, query: str) -> Iterator[bytes | bytearray | memoryview]:
        """The rows of a query, as COPY writes them.

        Args:
            query: a SELECT of ours.
        """
        with (
            self.connection.transaction(),
            self.connection.cursor().copy(f"copy ({query}) to stdout") as copy,
        ):
            yield from copy


@contextmanager
def open_target(url: str) -> Iterator[Target]:
    """Read what a copy needs beside the dump.

    Args:
        url: ``postgresql://...``, with or without a driver name.

    Raises:
        SettingsError: the address is not one of PostgreSQL.
        ServerNotFound: nobody answers, or the server refuses.
        WhatIfError: its pages are not 8 KiB.
    """
    with read_only(url) as connection:
        target = _read(connection)
        connection.commit()  # a transaction that stays open would keep DDL and vacuum waiting
        yield target


def question(name: str) -> str:
    """The text of one of this room's ``.sql`` files."""
    return resources.files("pitstop.advisor.whatif").joinpath("sql", f"{name}.sql").read_text("utf-8")


def _read(connection: "psycopg.Connection[Row]") -> Target:
    if connection.execute("show block_size").fetchone() != {"block_size": "8192"}:
        raise WhatIfError("the pages of this database are not 8 KiB: its plans cannot be foretold")
    settings = {row["name"]: row["value"] for row in connection.execute(question("planner_settings"))}
    pages = {row["name"]: row["pages"] for row in connection.execute(question("relation_pages"))}
    own = connection.execute(
        "select to_jsonb(pg_database) as row from pg_database where datname = current_database()"
    ).fetchone()
    built_in = connection.execute(
        "select extname as name, nspname as schema from pg_extension"
        " join pg_namespace on pg_namespace.oid = extnamespace"
        " where pg_extension.oid < 16384 and nspname <> 'pg_catalog' order by extname"
    ).fetchall()
    if own is None:
        raise ServerNotFound("the database vanished while it was read: try again")
    extensions = tuple((row["name"], row["schema"]) for row in built_in)
    return Target(connection, settings, pages, _plain_order(own["row"]), extensions)


def _plain_order(database: Row) -> bool:
    """From 17 on a builtin provider sorts by bytes; before, only the locale C does."""
    return database.get("datlocprovider") == "b" or database["datcollate"] in ("C", "POSIX")
