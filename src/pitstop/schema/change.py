"""Changes of schema objects that can be made on a live database: what each is, and its SQL."""

from dataclasses import dataclass
from typing import TypeAlias

from pitstop.schema.name import Name, quoted
from pitstop.schema.table_change import TableChange

__all__ = [
    "Analyze",
    "AttachIndex",
    "Change",
    "CreateExtension",
    "CreateIndex",
    "DropIndex",
    "ReindexIndex",
]


@dataclass(frozen=True, slots=True)
class CreateIndex:
    """An index to be made, without blocking writers.

    Attributes:
        table: it is on.
        rest: all that follows the table: ``"USING gin (tags) WHERE active"``.
        name: of it; None until a plan gives it one.
        unique: whether it is.
        only: not on the partitions of the table; quick, since a partitioned table has no rows of its own.
    """

    table: Name
    rest: str
    name: str | None = None
    unique: bool = False
    only: bool = False

    @property
    def index(self) -> Name:
        """The index, in the schema of its table."""
        return Name(self.name or "", self.table.schema)

    @property
    def concurrent(self) -> bool:
        """Whether it runs beside writers and outside of a transaction."""
        return not self.only

    @property
    def sql(self) -> str:
        """The statement."""
        words = ["CREATE", "UNIQUE" * self.unique, "INDEX", "CONCURRENTLY" * self.concurrent]
        words += [
            quoted(self.name) if self.name else "",
            "ON",
            "ONLY" * self.only,
            str(self.table),
            self.rest,
        ]
        return " ".join(filter(None, words))


@dataclass(frozen=True, slots=True)
class DropIndex:
    """An index to be dropped.

    Attributes:
        index: its name.
        made_by: what it must be; None takes it as it is.
        partitioned: it belongs to a partitioned table, where PostgreSQL cannot drop concurrently.
        leftover: it is dropped only if it is invalid: what a broken-off build left behind.
    """

    index: Name
    made_by: CreateIndex | None = None
    partitioned: bool = False
    leftover: bool = False

    @property
    def concurrent(self) -> bool:
        """Whether it runs beside writers and outside of a transaction."""
        return not self.partitioned

    @property
    def sql(self) -> str:
        """The statement."""
        return f"DROP INDEX {'CONCURRENTLY ' * self.concurrent}{self.index}"


@dataclass(frozen=True, slots=True)
class ReindexIndex:
    """An index to be built anew, without blocking writers: a bloated or invalid one."""

    index: Name
    concurrent = True

    @property
    def sql(self) -> str:
        """The statement."""
        return f"REINDEX INDEX CONCURRENTLY {self.index}"


@dataclass(frozen=True, slots=True)
class AttachIndex:
    """The index of a partition that becomes part of the index of the partitioned table."""

    parent: Name
    child: Name
    concurrent = False

    @property
    def sql(self) -> str:
        """The statement."""
        return f"ALTER INDEX {self.parent} ATTACH PARTITION {self.child}"


@dataclass(frozen=True, slots=True)
class CreateExtension:
    """An extension that is needed, such as ``pg_trgm``."""

    name: str
    schema: str | None = None
    concurrent = False

    @property
    def sql(self) -> str:
        """The statement."""
        place = f" SCHEMA {quoted(self.schema)}" if self.schema else ""
        return f"CREATE EXTENSION IF NOT EXISTS {quoted(self.name)}{place}"


@dataclass(frozen=True, slots=True)
class Analyze:
    """Statistics to be gathered: an index on an expression has none before."""

    table: Name
    concurrent = True

    @property
    def sql(self) -> str:
        """The statement."""
        return f"ANALYZE {self.table}"


Change: TypeAlias = (
    CreateIndex | DropIndex | ReindexIndex | AttachIndex | CreateExtension | Analyze | TableChange
)
