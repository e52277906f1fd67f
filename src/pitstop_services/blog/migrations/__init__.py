"""The schema's history: 0001 has the tables with nothing but keys, 0002 adds the indexes."""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, create_engine, make_url
from sqlalchemy.pool import NullPool

from pitstop.errors import require

if TYPE_CHECKING:
    from alembic.config import Config

__all__ = ["current_revision", "migrate"]


def migrate(database_url: str, revision: str = "head") -> None:
    """Take a database up or down to a revision.

    Args:
        database_url: any spelling of a PostgreSQL URL; psycopg is the driver used.
        revision: ``"0001"``, ``"0002"``, ``"head"`` or ``"base"`` (drops everything).

    Raises:
        MissingExtra: Alembic is not installed.
    """
    require("alembic", extra="schema", what="migrations")
    engine = create_engine(make_url(database_url).set(drivername="postgresql+psycopg"), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            _move(connection, revision)
    finally:
        engine.dispose()


def current_revision(connection: Connection) -> str | None:
    """The revision a database is at, None before the first.

    Raises:
        MissingExtra: Alembic is not installed.
    """
    require("alembic", extra="schema", what="migrations")
    from alembic.runtime.migration import MigrationContext

    return MigrationContext.configure(connection).get_current_revision()


def _move(connection: Connection, revision: str) -> None:
    from alembic import command
    from alembic.script import ScriptDirectory

    config = _config(connection)
    current = current_revision(connection)
    connection.rollback()  # the reading above must not hold a transaction open around CONCURRENTLY
    script = ScriptDirectory.from_config(config)
    applied = [each.revision for each in script.iterate_revisions(current, "base")] if current else []
    if revision == "base" or revision in applied:
        command.downgrade(config, revision)
    else:
        command.upgrade(config, revision)


def _config(connection: Connection) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
