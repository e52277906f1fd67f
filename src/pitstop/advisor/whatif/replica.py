"""The replica: a copy of a database with its rows, where statements really run, with indexes or without."""

import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from pitstop.advisor.whatif.asking import explaining, first_line, logical_plan, told_plan
from pitstop.advisor.whatif.restoring import create_like, restore
from pitstop.advisor.whatif.target import open_target, question
from pitstop.errors import WhatIfError
from pitstop.postgres.address import libpq_url, with_database
from pitstop.servers.copying import copy_database
from pitstop.servers.database import drop_database
from pitstop.servers.private import Servers, own_postgresql

__all__ = ["MOST_BYTES", "BuiltIndex", "Replica", "Run", "open_replica"]

Row = dict[str, Any]
Connection = psycopg.Connection[Row]
Progress = Callable[[str], None]

MOST_BYTES = 4 * 1024**3
_MIB = 1024**2
_ROOM = 2.0  # of its size: the copy, new indexes, the log
_COPY_SECONDS = 3600.0
_SILENT = "timing off, buffers off, analyze"
_PREPARED = "pitstop_statement"


@dataclass(frozen=True, slots=True)
class BuiltIndex:
    """An index that was really built.

    Attributes:
        ddl: that made it.
        names: as plans call it, and its partitions.
        oids: likewise.
        table: that it is on, quoted with its schema.
        size_bytes: with its partitions.
        build_ms: how long it took.
    """

    ddl: str
    names: frozenset[str]
    oids: tuple[int, ...]
    table: str
    size_bytes: int
    build_ms: float


@dataclass(frozen=True, slots=True)
class Run:
    """One execution.

    Attributes:
        ms: of planning and executing, on the server; the time-out if it was cut off.
        plan: its root, empty if it was cut off.
        ended: whether it ended within the time-out.
    """

    ms: float
    plan: Row
    ended: bool = True


class Replica:
    """A copy that statements can be run on.

    Args:
        connection: to it, as a superuser, each statement committed.
        copied_bytes: of the original.
        failures: what of the original could not be restored here, as pg_restore said it.
    """

    def __init__(self, connection: Connection, *, copied_bytes: int, failures: Sequence[str]) -> None:
        self.connection = connection
        self.copied_bytes = copied_bytes
        self.failures = tuple(failures)
        self._built: dict[int, bool] = {}

    def build(self, ddls: Iterable[str]) -> list[BuiltIndex | WhatIfError]:
        """Build indexes; all are there until :meth:`show` says otherwise.

        Args:
            ddls: ``CREATE INDEX ON table ...`` without a name.

        Returns:
            for each the index, or why it cannot be.
        """
        return [self._build(each) for each in ddls]

    def settle(self) -> None:
        """Vacuum and analyse, so that an index can be read alone and the planner knows its expressions."""
        self.connection.execute("set synchronous_commit = on")  # else not all is known to be visible yet
        self.connection.execute("vacuum (analyze)")

    def show(self, indexes: Iterable[BuiltIndex]) -> None:
        """Let these of the built indexes be there and no others: nobody reads them or keeps them up."""
        live = {oid for each in indexes for oid in each.oids}
        changed = [oid for oid, shown in self._built.items() if shown != (oid in live)]
        if changed:
            with self.connection.transaction():
                self.connection.execute(question("set_live"), {"live": list(live), "all": changed})
                self.connection.execute(question("forget_tables"), {"all": changed})
            self._built = {oid: oid in live for oid in self._built}

    def logical_plan(self, statement: str) -> Row:
        """As :meth:`pitstop.advisor.whatif.WhatIf.logical_plan`."""
        return logical_plan(self.connection, statement)

    def run(self, statement: str, values: Sequence[str | None] = (), *, timeout_s: float) -> Run:
        """Run a statement and take back what it did.

        Args:
            statement: SQL.
            values: of ``$1``, ``$2`` ..., as text.
            timeout_s: when it is cut off.

        Raises:
            WhatIfError: it fails; the message is the server's.
        """
        try:
            with self.connection.transaction(force_rollback=True):
                self.connection.execute(f"set local statement_timeout = {round(timeout_s * 1000)}")
                return self._timed(statement, values)
        except psycopg.errors.QueryCanceled:
            return Run(timeout_s * 1000, {}, ended=False)
        except psycopg.Error as error:
            raise WhatIfError(f"cannot run {statement[:60]!r}: {first_line(error)}") from error

    def _timed(self, statement: str, values: Sequence[str | None]) -> Run:
        asked = explaining(statement, _SILENT)
        if values:
            self.connection.execute("deallocate all")
            self.connection.execute(f"prepare {_PREPARED} as {statement}".encode())
            given = sql.SQL(", ").join(map(sql.Literal, values)).as_string(self.connection)
            asked = explaining(f"execute {_PREPARED} ({given})", _SILENT)
        document = told_plan(self.connection.execute(asked.encode()).fetchone())
        return Run(document["Planning Time"] + document["Execution Time"], document["Plan"])

    def _build(self, ddl: str) -> BuiltIndex | WhatIfError:
        begun = time.perf_counter()
        try:
            before = self.connection.execute("select max(oid::int8) as oid from pg_class").fetchone()
            self.connection.execute(ddl.encode())
            since = {"before": before["oid"] if before else 0}
            rows = self.connection.execute(question("built_indexes"), since).fetchall()
        except psycopg.Error as error:
            return WhatIfError(f"{ddl}: {first_line(error)}")
        self._built |= dict.fromkeys((row["oid"] for row in rows), True)
        return BuiltIndex(
            ddl=ddl,
            names=frozenset(row["name"] for row in rows),
            oids=tuple(row["oid"] for row in rows),
            table=rows[0]["table"],
            size_bytes=sum(row["bytes"] for row in rows),
            build_ms=(time.perf_counter() - begun) * 1000,
        )


@contextmanager
def open_replica(
    url: str,
    *,
    servers: Servers | None = None,
    most_bytes: int = MOST_BYTES,
    progress: Progress | None = None,
) -> Iterator[Replica]:
    """Copy a database with its rows to a private server; the copy is deleted at the end.

    The original is only read, all of it once and in one transaction.

    Args:
        url: ``postgresql://...``, with or without a driver name.
        servers: a private PostgreSQL to use; None to start one.
        most_bytes: what is larger is not copied.
        progress: gets a line for each step.

    Raises:
        SettingsError: the address is not one of PostgreSQL.
        ServerError: nobody answers there, it cannot be read, or no private server comes up.
        WhatIfError: it is too large, for the limit or for the disk.
    """
    say = progress or (lambda line: None)
    with ExitStack() as stack:
        with open_target(url) as target:
            told = target.connection.execute("select pg_database_size(current_database()) as size").fetchone()
        size = told["size"] if told else 0
        _check_limit(size, most_bytes)
        private = servers or stack.enter_context(own_postgresql())
        _check_room(size, private)
        name = f"replica_{uuid.uuid4().hex[:16]}"
        own = libpq_url(private.sync_database_url)
        stack.callback(drop_database, own, name)
        with psycopg.connect(own, autocommit=True) as connection:
            create_like(connection, name, plain_order=target.plain_order, settings=target.settings)
        address = with_database(own, name)
        say(f"copy {size / _MIB:,.0f} MiB to a private server")
        failures = restore(address, "", extensions=target.extensions)
        failures += copy_database(url, address, timeout_s=_COPY_SECONDS)
        yield Replica(stack.enter_context(_connect(address)), copied_bytes=size, failures=failures)


@contextmanager
def _connect(address: str) -> Iterator[Connection]:
    with psycopg.connect(address, autocommit=True, row_factory=dict_row, prepare_threshold=None) as found:
        found.execute("set plan_cache_mode = force_custom_plan")
        yield found


def _check_limit(size: int, most_bytes: int) -> None:
    if size > most_bytes:
        raise WhatIfError(
            f"the database has {size / _MIB:,.0f} MiB and at most {most_bytes / _MIB:,.0f} are copied: "
            "allow more with --most-copied, or prove the advice on a smaller database with the same tables"
        )


def _check_room(size: int, private: Servers) -> None:
    free = shutil.disk_usage(private.directory or ".").free
    if free < _ROOM * size:
        raise WhatIfError(
            f"a copy of {size / _MIB:,.0f} MiB needs {_ROOM * size / _MIB:,.0f} MiB on the disk of "
            f"'{private.directory}' and {free / _MIB:,.0f} are free: set TMPDIR to a larger one"
        )
