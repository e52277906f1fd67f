"""The indexes of a database: what each is made of, what depends on it and how it is used."""

from dataclasses import dataclass
from importlib import resources
from typing import Any

import psycopg

__all__ = ["Index", "covers", "query_indexes"]


@dataclass(frozen=True, slots=True)
class Index:
    """An index.

    Attributes:
        oid: of it.
        name, table: quoted, with the schema; plain_name: as plans call it.
        method: of access.
        keys: each with its operator class, collation and direction: equal texts are equal keys.
        key_names: each as written.
        include: further columns.
        predicate: of a partial index.
        definition: the statement that makes it.
        is_unique, is_primary, in_constraint: its duties.
        is_valid: False for what a failed CREATE INDEX CONCURRENTLY left behind.
        is_marked: it is the replica identity, or the table is clustered on it.
        of_partition: it belongs to an index of the partitioned table.
        size_bytes: of it.
        rows, table_rows: estimates.
        scans: since statistics were reset, on this server alone.
        foreign_key: one whose columns it begins with: what finds the rows of a parent that is deleted.
    """

    oid: int
    name: str
    plain_name: str
    table: str
    method: str
    keys: tuple[str, ...]
    key_names: tuple[str, ...]
    include: tuple[str, ...]
    predicate: str | None
    definition: str
    is_unique: bool
    is_primary: bool
    is_valid: bool
    is_marked: bool
    in_constraint: bool
    of_partition: bool
    size_bytes: int
    rows: float
    table_rows: float
    scans: int
    foreign_key: str | None = None

    @property
    def has_duty(self) -> bool:
        """Whether something besides speed depends on it: uniqueness, a constraint, replication."""
        return self.is_unique or self.is_primary or self.in_constraint or self.is_marked


def query_indexes(connection: "psycopg.Connection[dict[str, Any]]") -> list[Index]:
    """All indexes of the user's tables, by name.

    Args:
        connection: one with rows as dictionaries; it is only read.
    """
    text = resources.files("pitstop.postgres").joinpath("sql", "indexes.sql").read_text("utf-8")
    return [_index(row) for row in connection.execute(text)]


def _index(row: dict[str, Any]) -> Index:
    told: dict[str, Any] = {
        name: tuple(each) if isinstance(each, list) else each for name, each in row.items()
    }
    return Index(**told)


def covers(one: Index, other: Index) -> bool:
    """Whether an index can do all that another does for reading: its keys begin with the other's.

    Operator classes, collations, directions and the predicate must be equal; further columns of the other
    must be among its own.
    """
    if (one.table, one.method, one.predicate) != (other.table, other.method, other.predicate):
        return False
    if one.method != "btree":
        return one.keys == other.keys and set(other.include) <= {*one.include}
    held = {*one.key_names, *one.include}
    return one.keys[: len(other.keys)] == other.keys and set(other.include) <= held
