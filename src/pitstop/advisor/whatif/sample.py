"""A sample of a table's rows, kept in the copy: what statistics do not tell of an index is measured on it."""
# ruff: noqa: S608 - names are quoted, expressions are as the server itself writes them

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from pitstop.advisor.whatif.target import Target, question

__all__ = ["Distinct", "GinGrowth", "Sample", "Samples"]

_ROWS = 10_000
_MAX_BYTES = 16 * 1024 * 1024
_SCHEMA = "pitstop_sample"


@dataclass(frozen=True, slots=True)
class Distinct:
    """Different keys, and bytes of a key on average."""

    keys: float
    share: float


@dataclass(frozen=True, slots=True)
class GinGrowth:
    """What a GIN index (or another that no formula tells) will have: pages, entries, pages of entries."""

    pages: int
    entries: int
    entry_pages: int


@dataclass(frozen=True, slots=True)
class Sample:
    """Some rows of a table, in a table of their own with the same columns.

    Attributes:
        connection: to the copy.
        name: of the table that holds them, quoted.
        rows: how many there are.
        of: how many rows the whole table has.
    """

    connection: "psycopg.Connection[dict[str, Any]]"
    name: str
    rows: int
    of: float

    def distinct(self, keys: Sequence[str], predicate: str | None) -> Distinct:
        """How many different keys the whole table has, and the share of its rows that the predicate keeps.

        The estimator is Duj1 of Haas and Stokes (IBM RJ 10025), as ANALYZE uses it.
        """
        where = f"where {predicate}" if predicate else ""
        counts = self._one(
            "select count(*)::float8 as distinct, coalesce(sum(times), 0)::float8 as rows,"
            " count(*) filter (where times = 1)::float8 as once"
            f" from (select count(*) as times from {self.name} {where} group by {', '.join(keys)}) as groups"
        )
        rows, once = counts["rows"], counts["once"]
        if not rows:
            return Distinct(0.0, 0.0)
        whole = self.of * rows / self.rows
        divisor = rows - once + once * rows / whole
        return Distinct(min(whole, rows * counts["distinct"] / divisor), rows / self.rows)

    def share(self, predicate: str) -> float:
        """The share of the rows that a predicate keeps."""
        told = self._one(f"select avg(({predicate})::int)::float8 as share from {self.name}")
        return float(told["share"] or 0.0)

    def width(self, expression: str) -> float:
        """Bytes of an expression's value on average, as they are stored."""
        told = self._one(
            "select avg(pg_column_size(row(value)) - 24)::float8 as width"  # a row's own header
            f" from (select {expression} as value from {self.name}) as told"
        )
        return float(told["width"] or 8.0)

    def growth(self, definition: str, rows: float) -> GinGrowth:
        """The size of an index over so many rows, from two builds of different size.

        Args:
            definition: all of CREATE INDEX after the name of the table.
            rows: of the whole index.
        """
        small, large = self._build(definition, self.rows // 4), self._build(definition, self.rows)
        factor = max(rows / max(self.rows, 1), 1.0)
        pages = large.pages * factor ** _exponent(small.pages, large.pages, least=0.6)
        entries = large.entries * factor ** _exponent(small.entries, large.entries, least=0.0)
        return GinGrowth(
            math.ceil(pages), math.ceil(entries), math.ceil(pages * large.entry_pages / max(large.pages, 1))
        )

    def copy_statistics(self, expression: str, index: int, place: int) -> float:
        """Give an expression of an index the statistics that ANALYZE would; the number of its values."""
        execute = self.connection.execute
        execute(f"create table {_SCHEMA}.expression as select {expression} as value from {self.name}")
        try:
            execute(f"analyze {_SCHEMA}.expression")
            found = self.distinct([expression], None)
            keys = -min(found.keys / self.of, 1.0) if found.keys > self.of * 0.1 else max(found.keys, 1.0)
            execute(question("copy_statistics"), {"index": index, "place": place, "keys": keys})
        finally:
            execute(f"drop table {_SCHEMA}.expression")
        return found.keys

    def _build(self, definition: str, rows: int) -> GinGrowth:
        execute = self.connection.execute
        execute(f"create table {_SCHEMA}.part as select * from {self.name} limit {rows}")
        try:
            execute(f"create index part_index on {_SCHEMA}.part {definition}")
            pages = self._one(f"select pg_relation_size('{_SCHEMA}.part_index') / 8192 as pages")["pages"]
            if " gin " not in f" {definition} ":
                return GinGrowth(pages, 0, 0)
            told = self._one(f"select * from gin_metapage_info(get_raw_page('{_SCHEMA}.part_index', 0))")
            return GinGrowth(pages, told["n_entries"], told["n_entry_pages"])
        finally:
            execute(f"drop table {_SCHEMA}.part")

    def _one(self, query: str) -> dict[str, Any]:
        row = self.connection.execute(query).fetchone()
        assert row is not None
        return row


class Samples:
    """The samples of one copy, drawn when they are first asked for.

    Args:
        target: where the rows are.
        connection: to the copy, for these samples alone.
        scale: how many times larger its tables are than those of the target.
    """

    def __init__(
        self, target: Target, connection: "psycopg.Connection[dict[str, Any]]", *, scale: float
    ) -> None:
        self._target = target
        self._scale = scale
        self._connection = connection
        self._drawn: dict[str, Sample | None] = {}
        connection.execute(f"create schema {_SCHEMA}")
        for extension in ("pg_buffercache", "pageinspect"):
            connection.execute(f"create extension if not exists {extension} schema {_SCHEMA}")
        seen = f"current_setting('search_path') || ', {_SCHEMA}, public'"
        connection.execute(f"select set_config('search_path', {seen}, false)")

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def evict(self, indexes: Sequence[int]) -> None:
        """Let the server forget what it read of some indexes, so that it will read their files again."""
        self._connection.execute(
            "select pg_buffercache_evict_relation(oid::regclass) from unnest(%s::oid[]) as each(oid)",
            [list(indexes)],
        )

    def of(self, table: str, *, rows: float) -> Sample | None:
        """A sample of a table, or None where it has no rows or may not be read.

        Args:
            table: quoted, with its schema.
            rows: how many it has (in the copy; where that was scaled, the sample counts for as many).
        """
        if table not in self._drawn:
            self._drawn[table] = self._draw(table, rows)
        return self._drawn[table]

    def _draw(self, table: str, rows: float) -> Sample | None:
        pages, there = self._target.pages.get(table, 0), max(rows / self._scale, 1)
        wanted = min(_ROWS, int(_MAX_BYTES / max(pages * 8192 / there, 1)))
        name = f"{_SCHEMA}.s{len(self._drawn)}"
        columns = self._columns(table)
        percent = min(100.0, 120.0 * wanted / there)
        query = (
            f"select {columns} from {table} tablesample system ({percent:.6f}) repeatable (0) limit {wanted}"
        )
        try:
            self._connection.execute(f"create table {name} as select {columns} from {table} with no data")
            with self._connection.cursor().copy(f"copy {name} from stdin") as copy:
                for block in self._target.copy_out(query):
                    copy.write(block)
            self._connection.execute(f"analyze {name}")
        except psycopg.Error:  # no right to read it, or no table that can be sampled
            return None
        found = self._connection.execute(f"select count(*) as rows from {name}").fetchone()
        return Sample(self._connection, name, found["rows"], rows) if found and found["rows"] else None

    def _columns(self, table: str) -> str:
        """Every column by name: generated ones of the original are ordinary ones here."""
        found = self._connection.execute(
            "select attname as name from pg_attribute"
            " where attrelid = %s::regclass and attnum > 0 and not attisdropped order by attnum",
            [table],
        )
        return sql.SQL(", ").join(sql.Identifier(row["name"]) for row in found).as_string(self._connection)


def _exponent(small: int, large: int, *, least: float) -> float:
    if small <= 0 or large <= small:
        return least
    return min(1.0, max(least, math.log(large / small) / math.log(4)))
