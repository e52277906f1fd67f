"""Merging observations into the record, from many processes at once, within its bound."""

import json
import logging
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import astuple
from pathlib import Path

from pitstop.errors import StoreError
from pitstop.store import database
from pitstop.store.database import question
from pitstop.store.totals import (
    CacheTotals,
    Latency,
    Location,
    NPlusOneTotals,
    Observations,
    PoolTotals,
    ScopeTotals,
    StatementTotals,
    UnusedColumn,
)

__all__ = ["DEFAULT_MAX_BYTES", "MAX_TEXT", "Store"]

log = logging.getLogger("pitstop.store")

DEFAULT_MAX_BYTES = 64 * 1024 * 1024
MAX_TEXT = 10_000
_PRUNE_ABOVE = 0.8
_PRUNE_BELOW = 0.6

Row = tuple[object, ...]


class Store:
    """The record of one directory, open for merging.

    One process, one ``Store``; it is not safe to merge from two threads at once. Close it before a
    fork: SQLite connections do not survive one.

    Args:
        directory: made on the first merge, with a ``.gitignore`` that hides it from git.
        max_bytes: bound of everything in it; past it, what cost the least time is forgotten.
    """

    def __init__(self, directory: Path | str, *, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self.directory = Path(directory).absolute()
        self.max_bytes = max_bytes
        self._connection: sqlite3.Connection | None = None
        self._inode = 0
        self._pruned = False

    def __repr__(self) -> str:
        return f"<Store {str(self.directory)!r}>"

    def merge(self, observations: Observations) -> None:
        """Add observations to the record: all of them, or none when it raises.

        Raises:
            StoreError: the directory cannot be written or the disk is full.
        """
        try:
            try:
                self._merge(observations)
            except sqlite3.Error as error:
                self._recover(error)
                self._merge(observations)
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise StoreError(
                f"cannot write the record in '{self.directory}': {error}; "
                "point PITSTOP_STORE at a writable directory with free space"
            ) from error

    def close(self) -> None:
        """Close the file; the next merge opens it again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _merge(self, observations: Observations) -> None:
        connection = self._opened()
        connection.execute("BEGIN IMMEDIATE")
        try:
            _insert(connection, observations)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        if _fill(connection) > _PRUNE_ABOVE:
            self._prune(connection)

    def _opened(self) -> sqlite3.Connection:
        path = self.directory / database.FILE_NAME
        if self._connection is not None and (not path.exists() or path.stat().st_ino != self._inode):
            self.close()  # reset or moved aside by another process
        if self._connection is None:
            self._connection = database.connect(self.directory, max_bytes=self.max_bytes)
            self._inode = path.stat().st_ino
        return self._connection

    def _recover(self, error: sqlite3.Error) -> None:
        """Make a second attempt possible, or raise the error again."""
        if database.is_corrupt(error):
            self.close()
            database.move_aside(self.directory, inode=self._inode)
        elif (
            database.is_full(error)
            and self._connection is not None
            and _fill(self._connection) > _PRUNE_BELOW
        ):
            self._prune(self._connection)
        else:
            raise error

    def _prune(self, connection: sqlite3.Connection) -> None:
        if not self._pruned:
            self._pruned = True
            log.warning(
                "the record in '%s' has reached its bound of %d bytes: what cost the least time is forgotten",
                self.directory,
                self.max_bytes,
            )
        for _ in range(8):
            for statement in question("prune").split(";"):
                connection.execute(statement)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            if _fill(connection) < _PRUNE_BELOW:
                return


def _fill(connection: sqlite3.Connection) -> float:
    """The share of the allowed pages that are in use."""
    pages, free, most = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "max_page_count")
    )
    return float((pages - free) / most)


def _insert(connection: sqlite3.Connection, observations: Observations) -> None:
    scopes, statements = observations.scopes.values(), observations.statements.values()
    texts = {each.fingerprint: each.text[:MAX_TEXT] for each in statements}
    for name, rows in (
        ("merge_scope", map(_scope_row, scopes)),
        ("merge_latency", _latency_rows(scopes)),
        ("merge_text", texts.items()),
        ("merge_statement", map(_statement_row, statements)),
        ("merge_statement_latency", _statement_latency_rows(observations.statement_latency)),
        ("merge_unused_column", map(_unused_column_row, observations.unused_columns.values())),
        ("merge_pool", map(_pool_row, observations.pools.values())),
        ("merge_pool_settings", map(astuple, observations.pool_settings.values())),
        ("merge_n_plus_one", map(_n_plus_one_row, observations.n_plus_one.values())),
        ("merge_cache", map(_cache_row, observations.caches.values())),
    ):
        connection.executemany(question(name), rows)


def _place(location: Location | None) -> str:
    return json.dumps(location)


def _scope_row(each: ScopeTotals) -> Row:
    return (
        *(each.kind, each.name, each.count, each.errors, each.total_ms, each.max_ms),
        *(each.statements, each.max_statements, each.first_seen, each.last_seen),
    )


def _latency_rows(scopes: Iterable[ScopeTotals]) -> Iterable[Row]:
    return (
        (each.kind, each.name, bucket, count)
        for each in scopes
        for bucket, count in each.latency.buckets.items()
    )


def _statement_latency_rows(latencies: Mapping[str, Latency]) -> Iterable[Row]:
    return (
        (fingerprint, bucket, count)
        for fingerprint, latency in latencies.items()
        for bucket, count in latency.buckets.items()
    )


def _statement_row(each: StatementTotals) -> Row:
    return (
        *(each.scope_kind, each.scope, each.fingerprint, _place(each.location)),
        *(each.calls, each.total_ms, each.max_ms, each.rows, each.last_seen, each.skipped),
    )


def _unused_column_row(each: UnusedColumn) -> Row:
    return (
        *(each.scope_kind, each.scope, each.fingerprint, _place(each.location)),
        *(each.entity, each.attribute, each.table, each.column, each.type),
    )


def _cache_row(each: CacheTotals) -> Row:
    return (each.namespace, each.hits, each.misses, each.refused)


def _pool_row(each: PoolTotals) -> Row:
    return (each.name, each.waits, each.exhausted, each.wait_ms, each.max_wait_ms, each.held_by)


def _n_plus_one_row(each: NPlusOneTotals) -> Row:
    return (
        *(each.scope_kind, each.scope, each.kind, each.parent, each.relationship),
        *(_place(each.query_location), _place(each.location), each.cure, json.dumps(each.imports)),
        *(each.is_expression, each.requests, each.extra, each.max_extra, each.total_ms, each.last_seen),
        json.dumps(each.callers),
    )
