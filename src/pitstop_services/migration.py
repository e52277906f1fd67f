"""The schema's history of a service: a database is taken up or down to a revision of it."""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, create_engine, make_url
from sqlalchemy.pool import NullPool

from pitstop.errors import require

if TYPE_CHECKING:
    from alembic.config import Config

__all__ = ["current_revision", "move"]


def move(database_url: str, revision: str, *, scripts: Path) -> None:
    """Take a database up or down to a revision.

    Args:
        database_url: any spelling of a PostgreSQL URL; psycopg is the driver used.
        revision: e.g. ``"0001"``, ``"head"``, or ``"base"`` (drops everything).
        scripts: directory with Alembic's ``env.py`` and ``versions``.

    Raises:
        MissingExtra: Alembic is not installed.
    """
    require("alembic", extra="schema", what="migrations")
    engine = create_engine(make_url(database_url).set(drivername="postgresql+psycopg"), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            _move(connection, revision, scripts)
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


def _move(connection: Connection, revision: str, scripts: Path) -> None:
    from alembic import command
    from alembic.script import ScriptDirectory

    config = _config(connection, scripts)
    current = current_revision(connection)
    connection.rollback()  # the reading above must not hold a transaction open around CONCURRENTLY
    history = ScriptDirectory.from_config(config)
    applied = [each.revision for each in history.iterate_revisions(current, "base")] if current else []
    if revision == "base" or revision in applied:
        command.downgrade(config, revision)
    else:
        command.upgrade(config, revision)


def _config(connection: Connection, scripts: Path) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(scripts))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
