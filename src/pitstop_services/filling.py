"""Fills a service's database: by COPY, in one transaction, a row at a time, once."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, create_engine, make_url, text
from sqlalchemy.pool import NullPool

from pitstop.errors import SettingsError
from pitstop_services.migration import current_revision

__all__ = ["Progress", "Seed", "Table", "Values", "seeder"]

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


class Seed(Protocol):
    """Fills the database of one service."""

    def __call__(
        self, database_url: str, *, scale: int = 1, revision: str = "head", progress: Progress | None = None
    ) -> int:
        """Create the schema and fill it; a database that is seeded at this scale already is left alone.

        A database with a schema keeps its revision, so ``migrate(url, "0001"); seed(url)`` gives the
        naive state. Memory does not grow with the scale.

        Args:
            database_url: any spelling of a PostgreSQL URL.
            scale: how often the real structure is repeated.
            revision: where a database without a schema is taken, after the rows are in.
            progress: called with the rows written so far and the rows in all.

        Returns:
            the number of rows written, 0 if there was nothing to do.

        Raises:
            SettingsError: the scale is below 1, or the database holds other data.
        """


def seeder(tables: Callable[[int], Sequence[Table]], *, migrate: Callable[[str, str], None]) -> Seed:
    """Make what fills the database of a service.

    Args:
        tables: gives the tables of a database of some scale, in the order of their foreign keys.
        migrate: takes a URL to a revision; ``"0001"`` has the tables.
    """

    def seed(
        database_url: str, *, scale: int = 1, revision: str = "head", progress: Progress | None = None
    ) -> int:
        if scale < 1:
            raise SettingsError(f"scale {scale} cannot be seeded: use 1 or more")
        url = make_url(database_url).set(drivername="postgresql+psycopg")
        engine = create_engine(url, poolclass=NullPool)
        try:
            with engine.connect() as connection:
                fresh = current_revision(connection) is None
            if fresh:
                migrate(database_url, "0001")  # filling first and indexing then is the faster order
            there = tables(scale)
            with engine.begin() as connection:
                written = _fill(connection, there, scale=scale, progress=progress or _silent)
            if fresh:
                migrate(database_url, revision)
            if written:
                _settle(engine, there)
        finally:
            engine.dispose()
        return written

    return seed


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
