"""Tables and their columns, as far as choosing an index needs to know them."""

from dataclasses import dataclass
from importlib import resources
from itertools import groupby
from typing import Any

import psycopg

__all__ = ["Column", "Table", "question", "read_tables"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Attributes:
        name: quoted where that is needed.
        type: as ``format_type`` writes it; category: as ``pg_type.typcategory``.
        required: NOT NULL.
        nulls: share of them, 0 to 1.
        width: bytes on average.
        distinct: different values.
        correlation: of its order with that of the rows, -1 to 1.
    """

    name: str
    type: str
    category: str
    required: bool
    nulls: float
    width: float
    distinct: float
    correlation: float


@dataclass(frozen=True, slots=True)
class Table:
    """A table.

    Attributes:
        name: quoted, with its schema; of a partition, that of the partitioned table at the root.
        rows: an estimate.
        columns: by their names, in their order.
    """

    name: str
    rows: float
    columns: dict[str, Column]


def read_tables(connection: "psycopg.Connection[dict[str, Any]]") -> dict[str, Table]:
    """The tables of a database by ``schema.table``, unquoted as plans write them."""
    rows = connection.execute(question("columns")).fetchall()
    tables = {}
    for _, group in groupby(rows, key=lambda row: row["name"]):
        columns = list(group)
        first = columns[0]
        tables[f"{first['schema']}.{first['table']}"] = Table(
            first["root"], first["rows"], {row["column"]: _column(row) for row in columns}
        )
    return tables


def question(name: str) -> str:
    """The text of one of this room's ``.sql`` files."""
    return resources.files("pitstop.advisor.indexes").joinpath("sql", f"{name}.sql").read_text("utf-8")


def _column(row: dict[str, Any]) -> Column:
    return Column(
        name=row["column"],
        type=row["type"],
        category=row["category"],
        required=row["required"],
        nulls=row["nulls"],
        width=row["width"],
        distinct=max(row["distinct"], 1.0),
        correlation=row["correlation"],
    )
