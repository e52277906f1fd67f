"""The schema's history: 0001 has the tables with nothing but keys, 0002 and 0003 add the indexes."""

from pathlib import Path

from pitstop_services.migration import move

__all__ = ["migrate"]


def migrate(database_url: str, revision: str = "head") -> None:
    """Take a database up or down to a revision.

    Args:
        database_url: any spelling of a PostgreSQL URL; psycopg is the driver used.
        revision: ``"0001"`` to ``"0003"``, ``"head"`` or ``"base"`` (drops everything).

    Raises:
        MissingExtra: Alembic is not installed.
    """
    move(database_url, revision, scripts=Path(__file__).parent)
