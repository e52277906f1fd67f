"""What a database has of the objects that a change is about; it is only read."""

from dataclasses import dataclass
from importlib import resources
from typing import Any

import psycopg
from psycopg import errors
from psycopg.rows import class_row, dict_row

from pitstop.errors import ApplyFailed, ChangeRefused
from pitstop.schema.change import CreateIndex
from pitstop.schema.name import Name, is_copy_name
from pitstop.schema.script import parse_change

__all__ = [
    "Connection",
    "IndexState",
    "Shape",
    "TableState",
    "equal_indexes",
    "has_extension",
    "has_statistics",
    "index_parts",
    "index_state",
    "partitions",
    "rebuild_leftovers",
    "shape_as_made",
    "table_state",
]

Connection = psycopg.AsyncConnection[Any]

_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '2s'"
_STOPPED = (errors.QueryCanceled, errors.AdminShutdown, errors.CrashShutdown)
_COPY = Name("pitstop_shape", "pg_temp")
_TABLE = (
    "select nspname, relname, relkind::text from pg_class "
    "join pg_namespace on pg_namespace.oid = relnamespace where pg_class.oid = to_regclass(%s)"
)


@dataclass(frozen=True, slots=True)
class IndexState:
    """What stands under the name of an index.

    Attributes:
        oid: of it.
        is_index: False for a table or view of that name; the rest is empty then.
        partitioned: it is that of a partitioned table.
        schema, name: of it; table_schema, table_name: of its table.
        valid: False for what a broken-off build left behind, and while parts of a partitioned one lack.
        is_identity: replication knows rows by it.
        is_exclusion: it serves an exclusion constraint.
        definition: the statement that makes it.
        constraint_name: of the constraint that it serves.
        parent: the index of the partitioned table that it belongs to.
        builder: the backend that is building it now.
    """

    oid: int
    is_index: bool
    partitioned: bool
    schema: str
    name: str
    table_schema: str | None
    table_name: str | None
    valid: bool
    is_identity: bool
    is_exclusion: bool
    definition: str | None
    constraint_name: str | None
    parent: int | None
    builder: int | None

    @property
    def shape(self) -> str:
        """What it is, whatever its name and table."""
        return shape_of(self.definition or "")


@dataclass(frozen=True, slots=True)
class TableState:
    """A table, or what else can have indexes."""

    name: Name
    partitioned: bool


@dataclass(frozen=True, slots=True)
class Shape:
    """What an index is once PostgreSQL has read its statement.

    Attributes:
        text: equal for equal indexes, whatever their names and tables.
        has_expressions: statistics are to be gathered for it.
    """

    text: str
    has_expressions: bool


def shape_of(definition: str) -> str:
    """What an index is, out of the statement as PostgreSQL writes it."""
    made = parse_change(definition)
    if not isinstance(made, CreateIndex):
        raise TypeError(f"{definition!r} makes no index")
    return f"{'UNIQUE ' * made.unique}{made.rest}"


async def index_state(connection: Connection, index: Name) -> IndexState | None:
    """What stands under a name; None if nothing does."""
    async with connection.cursor(row_factory=class_row(IndexState)) as cursor:
        await cursor.execute(_sql("index_state"), [str(index)])
        return await cursor.fetchone()


async def table_state(connection: Connection, table: Name) -> TableState:
    """A table with its schema.

    Raises:
        ChangeRefused: there is none, or it is none that has indexes.
    """
    row = await (await connection.execute(_TABLE, [str(table)])).fetchone()
    if row is None:
        raise ChangeRefused(f"there is no table {table} in this database; write schema.table if need be")
    schema, name, kind = row
    if kind not in ("r", "m", "p"):
        raise ChangeRefused(f"{table} has no indexes: it is neither a table nor a materialized view")
    return TableState(Name(name, schema), kind == "p")


async def partitions(connection: Connection, table: Name) -> list[Name]:
    """The partitions one floor below a table."""
    rows = await connection.execute(_sql("partitions"), [str(table)])
    return [Name(name, schema) async for schema, name in rows]


async def index_parts(connection: Connection, index: Name) -> list[Name]:
    """The indexes with rows that a partitioned index consists of; of any other, itself."""
    rows = await connection.execute(_sql("index_parts"), [str(index)])
    return [Name(name, schema) async for schema, name in rows]


async def rebuild_leftovers(connection: Connection, index: IndexState) -> list[IndexState]:
    """The invalid indexes that broken-off rebuilds of an index left behind.

    PostgreSQL builds the new one as ``..._ccnew``, swaps the two, and drops the old one as ``..._ccold``.
    """
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_sql("invalid_siblings"), [index.oid])
        rows = await cursor.fetchall()
    names = [Name(row["name"], row["schema"]) for row in rows if is_copy_name(row["name"], index.name)]
    found = [await index_state(connection, name) for name in names]
    return [each for each in found if each is not None and each.shape == index.shape]


async def equal_indexes(connection: Connection, table: Name, shape: str) -> list[tuple[str, int | None]]:
    """The valid indexes of a table that are like one: name, and the parent that it belongs to."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_sql("table_indexes"), [str(table)])
        rows = await cursor.fetchall()
    return [(row["name"], row["parent"]) for row in rows if shape_of(row["definition"]) == shape]


async def has_extension(connection: Connection, name: str) -> bool:
    """Whether an extension is installed in this database."""
    rows = await connection.execute("select from pg_extension where extname = %s", [name])
    return rows.rowcount == 1


async def has_statistics(connection: Connection, table: Name) -> bool:
    """Whether the planner has statistics of every expression index of a table and its partitions."""
    row = await (await connection.execute(_sql("has_statistics"), {"table": str(table)})).fetchone()
    return bool(row and row[0])


async def shape_as_made(connection: Connection, change: CreateIndex) -> Shape:
    """What PostgreSQL makes of a statement: asked of an empty temporary copy, which is rolled back.

    Raises:
        ChangeRefused: PostgreSQL does; the cause is its error.
        ApplyFailed: somebody holds the table locked, or stopped the question.
    """
    copy = CreateIndex(_COPY, change.rest, "pitstop_shape_index", unique=change.unique, only=True)
    question = (
        "select pg_get_indexdef(indexrelid), indexprs is not null from pg_index where indrelid = %s::regclass"
    )
    try:
        async with connection.transaction(force_rollback=True):
            await connection.execute("SET TRANSACTION READ WRITE")  # a cautious user may plan, too
            await connection.execute(_LOCK_TIMEOUT)
            await connection.execute(f"CREATE TEMPORARY TABLE pitstop_shape (LIKE {change.table})".encode())
            await connection.execute(copy.sql.replace(" ONLY ", " ", 1).encode())
            row = await (await connection.execute(question, [str(_COPY)])).fetchone()
    except errors.LockNotAvailable as error:
        raise ApplyFailed(f"{change.table} is locked by somebody else: try again later") from error
    except psycopg.Error as error:
        reason = error.diag.message_primary or " ".join(str(error).split())
        if error.sqlstate is None or isinstance(error, _STOPPED):
            raise ApplyFailed(f"{change.sql!r} was not begun: {reason}") from error
        raise ChangeRefused(f"postgresql refuses {change.sql!r}: {reason}") from error
    if row is None:
        raise ChangeRefused(f"{change.sql!r} makes no index")
    return Shape(shape_of(row[0]), row[1])


def _sql(name: str) -> bytes:
    return resources.files("pitstop.schema").joinpath("sql", f"{name}.sql").read_bytes()
