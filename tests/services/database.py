"""What the tests of a service ask its database, over a connection of their own."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, MetaData, create_engine, inspect, make_url, text
from sqlalchemy.pool import NullPool


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """A connection in a transaction, committed at the end."""
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), poolclass=NullPool)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def ask(url: str, statement: str) -> list[tuple[object, ...]]:
    """The rows of a statement."""
    with connected(url) as connection:
        return [tuple(row) for row in connection.execute(text(statement))]


def tables(url: str) -> set[str]:
    """The names of all tables."""
    with connected(url) as connection:
        return set(inspect(connection).get_table_names())


def indexes(url: str, table: str) -> set[str]:
    """The names of a table's valid indexes, its primary key aside."""
    statement = text(
        "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
        " WHERE i.indrelid = cast(:name AS regclass) AND i.indisvalid AND NOT i.indisprimary"
    )
    with connected(url) as connection:
        return set(connection.scalars(statement, {"name": table}))


def differences(url: str, metadata: MetaData) -> list[object]:
    """In what a database differs from models, for Alembic's autogenerate, indexes aside."""
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    with connected(url) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        found = compare_metadata(context, metadata)
    return [each for each in found if each[0] != "remove_index"]
