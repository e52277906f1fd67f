"""How large an index of the copy would be, and what its first page would say."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import psycopg

from pitstop.advisor.whatif.sample import GinGrowth, Sample, Samples
from pitstop.advisor.whatif.target import question
from pitstop.postgres.btree_size import IndexColumn, btree_height, btree_size
from pitstop.postgres.metapage import PAGE_BYTES

__all__ = ["Estimate", "Shape", "estimate", "shapes"]

_RANGE_PAGES = 128
_ENTRY_BYTES = 4  # of one row in one list of GIN, compressed
_HASH_ROWS = 300  # of one page, three quarters full


@dataclass(frozen=True, slots=True)
class Shape:
    """One index of one table, as ``index_shape.sql`` tells it."""

    oid: int
    table: str
    method: str
    predicate: str | None
    rows: float
    columns: tuple[dict[str, Any], ...]

    @property
    def index_columns(self) -> list[IndexColumn]:
        """What the formulas for B-trees need."""
        return [
            IndexColumn(each["bytes"], each["alignment"], each["width"], each["type"], each["is_key"])
            for each in self.columns
        ]

    def height(self, pages: int) -> int:
        """Levels above the leaves, if it is a B-tree of so many pages."""
        return btree_height(pages, self.index_columns)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is foretold of an index.

    Attributes:
        pages: of it.
        rows: it has.
        height: of a B-tree.
        gin: of other methods, as grown.
        entries: of one row.
    """

    pages: int
    rows: float
    height: int = 0
    gin: GinGrowth | None = None
    entries: float = 1.0


def shapes(connection: "psycopg.Connection[dict[str, Any]]", oids: Sequence[int]) -> list[Shape]:
    """The shapes of some indexes of the copy, in the order of their oids."""
    rows = connection.execute(question("index_shape"), [list(oids)]).fetchall()
    found = []
    for oid, group in groupby(rows, key=lambda row: row["oid"]):
        columns = tuple(group)
        first = columns[0]
        found.append(Shape(oid, first["table"], first["method"], first["predicate"], first["rows"], columns))
    return found


def estimate(shape: Shape, samples: Samples, *, table_pages: int, definition: str) -> Estimate:
    """Foretell an index; expressions among its columns get statistics on the way.

    Args:
        shape: of the index.
        samples: of the tables.
        table_pages: of its table.
        definition: all of CREATE INDEX after the name of the table.
    """
    sample = samples.of(shape.table, rows=shape.rows) if _needs_rows(shape) else None
    rows = shape.rows * (sample.share(shape.predicate) if sample and shape.predicate else 1.0)
    if shape.method == "btree":
        return _btree(shape, sample, rows)
    if shape.method == "brin":
        return Estimate(_brin_pages(shape, table_pages), rows)
    if shape.method == "hash":
        return Estimate(2 + 2 ** math.ceil(math.log2(max(rows / _HASH_ROWS, 2))), rows)
    if sample is None:
        return Estimate(max(2, table_pages // 2), rows)
    grown = sample.growth(definition, shape.rows)
    entries = grown.pages * PAGE_BYTES / max(rows, 1) / _ENTRY_BYTES if grown.entries else 1.0
    return Estimate(grown.pages, rows, gin=grown, entries=max(1.0, entries))


def _needs_rows(shape: Shape) -> bool:
    """Whether statistics of single columns do not tell how large it will be."""
    if shape.predicate or any(each["is_expression"] for each in shape.columns):
        return True
    if shape.method == "btree":
        return _folds_unknown(shape)
    return shape.method not in ("brin", "hash")


def _folds_unknown(shape: Shape) -> bool:
    """Whether equal keys may be folded and it takes several columns to make one."""
    keys = [each for each in shape.columns if each["is_key"]]
    unique = any(_values(each, shape) > shape.rows / 2 for each in keys)
    return 1 < len(keys) == len(shape.columns) and not unique


def _values(column: dict[str, Any], shape: Shape) -> float:
    distinct: float = column["distinct"]
    return max(1.0, -distinct * shape.rows if distinct < 0 else distinct)


def _btree(shape: Shape, sample: Sample | None, rows: float) -> Estimate:
    columns, distinct = [], 1.0
    for each, column in zip(shape.columns, shape.index_columns, strict=True):
        if each["is_expression"] and sample is not None:
            distinct *= sample.copy_statistics(each["definition"], shape.oid, each["place"])
            width = sample.width(each["definition"])
            columns.append(IndexColumn(column.bytes, column.alignment, width, column.type, column.is_key))
        else:
            distinct *= _values(each, shape)
            columns.append(column)
    if sample is not None and (shape.predicate or _folds_unknown(shape)):
        keys = [each["definition"] for each in shape.columns if each["is_key"]]
        distinct = sample.distinct(keys, shape.predicate).keys
    size = btree_size(columns, rows=rows, distinct=min(rows, distinct))
    return Estimate(size.pages, rows, height=size.height)


def _brin_pages(shape: Shape, table_pages: int) -> int:
    ranges = math.ceil(table_pages / _RANGE_PAGES)
    summary: float = sum(16 + 2 * each["width"] for each in shape.columns)
    return 2 + math.ceil(ranges / 1360) + math.ceil(ranges * summary / 8000)
