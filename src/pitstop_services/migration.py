"""The schema's history of a service: a database is taken up or down to a revision of it."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, MetaData, create_engine, make_url
from sqlalchemy.pool import NullPool

from pitstop.errors import require

if TYPE_CHECKING:
    from alembic.config import Config

__all__ = ["build_indexes", "current_revision", "drop_indexes", "move", "run"]


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


def run(metadata: MetaData) -> None:
    """Run what ``move`` asked for, over its connection; for use in Alembic's ``env.py``."""
    from alembic import context

    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=metadata,
        transaction_per_migration=True,  # CREATE INDEX CONCURRENTLY must stand outside of one
    )
    with context.begin_transaction():
        context.run_migrations()


def build_indexes(indexes: Mapping[str, str]) -> None:
    """Build indexes without blocking a write; for use in a migration.

    Args:
        indexes: name -> what stands behind it in ``CREATE INDEX``; begins with ``UNIQUE`` for a unique one.
    """
    from alembic import op

    with op.get_context().autocommit_block():
        for name, definition in indexes.items():
            kind = "UNIQUE INDEX" if definition.startswith("UNIQUE ") else "INDEX"
            # a build that was broken off leaves an invalid index behind
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE {kind} CONCURRENTLY {name} {definition.removeprefix('UNIQUE ')}")


def drop_indexes(names: Iterable[str]) -> None:
    """Drop indexes without blocking a write; for use in a migration."""
    from alembic import op

    with op.get_context().autocommit_block():
        for name in names:
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")


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
