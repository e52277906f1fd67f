"""Fills a service's database: by COPY, in one transaction, a row at a time, once."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, make_url, text
from sqlalchemy.pool import NullPool

from pitstop.errors import SettingsError
from pitstop_services.migration import current_revision

__all__ = ["Progress", "Table", "Values", "fill"]

Progress = Callable[[int, int], None]  # rows written so far, rows in all
Values = tuple[object, ...]

REPORT_EVERY = 1000  # rows


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of one table; none is made before it is written.

    Attributes:
        columns: as COPY takes them.
        count: how many rows there will be.
    """

    name: str
    columns: str
    count: int
    rows: Iterator[Values]


def fill(
    database_url: str,
    tables: Sequence[Table],
    *,
    scale: int,
    revision: str,
    migrate: Callable[[str, str], None],
    progress: Progress | None = None,
) -> int:
    """Create the schema and fill it; a database whose first table has its rows already is left alone.

    Args:
        database_url: any spelling of a PostgreSQL URL.
        tables: in the order of their foreign keys.
        scale: how often the real data is repeated, for messages.
        revision: where a database without a schema is taken, after the rows are in.
        migrate: takes a URL to a revision; ``"0001"`` has the tables.
        progress: called with the rows written so far and the rows in all.

    Returns:
        the number of rows written, 0 if there was nothing to do.

    Raises:
        SettingsError: the scale is below 1, or the database holds other data.
    """
    if scale < 1:
        raise SettingsError(f"scale {scale} cannot be seeded: use 1 or more")
    engine = create_engine(make_url(database_url).set(drivername="postgresql+psycopg"), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            fresh = current_revision(connection) is None
        if fresh:
            migrate(database_url, "0001")  # filling first and indexing then is the faster order
        with engine.begin() as connection:
            written = _fill(connection, tables, scale=scale, progress=progress or _silent)
        if fresh:
            migrate(database_url, revision)
        if written:
            _settle(engine, tables)
    finally:
        engine.dispose()
    return written


def _fill(connection: Connection, tables: Sequence[Table], *, scale: int, progress: Progress) -> int:
    """Copy all tables in, unless they are there."""
    first = tables[0]
    connection.execute(text(f"LOCK TABLE {first.name} IN SHARE ROW EXCLUSIVE MODE"))  # two seeds at once
    there = connection.scalar(text(f"SELECT count(*) FROM {first.name}")) or 0  # noqa: S608
    if there == first.count:
        return 0
    if there:
        database = connection.engine.url.database
        raise SettingsError(
            f"database {database!r} has {there} {first.name} already, scale {scale} would give "
            f"{first.count}: use an empty database"
        )
    counted = _Counter(sum(table.count for table in tables), progress)
    for table in tables:
        _copy(connection, f"COPY {table.name} ({table.columns}) FROM STDIN", counted(table.rows))
        _advance(connection, table.name)
    return counted.done


def _copy(connection: Connection, statement: str, rows: Iterator[Values]) -> None:
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


def _advance(connection: Connection, table: str) -> None:
    """Let the ids that are given out go on above those of the rows."""
    highest = f"(SELECT max(id) FROM {table})"  # noqa: S608
    connection.execute(text(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), {highest})"))


def _settle(engine: Engine, tables: Sequence[Table]) -> None:
    """Leave statistics and visibility as a server that has been up for a while would have them."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"VACUUM (ANALYZE) {', '.join(table.name for table in tables)}"))


class _Counter:
    """Passes rows on and tells the progress of all tables together."""

    def __init__(self, total: int, progress: Progress) -> None:
        self.total = total
        self.progress = progress
        self.done = 0

    def __call__(self, rows: Iterator[Values]) -> Iterator[Values]:
        for row in rows:
            yield row
            self.done += 1
            if self.done % REPORT_EVERY == 0 or self.done == self.total:
                self.progress(self.done, self.total)


def _silent(_done: int, _total: int) -> None:
    pass
