"""Standbys: connections to a PostgreSQL that replays what another one has written."""

from typing import Any

from sqlalchemy import Connection

__all__ = ["ask", "is_in_recovery"]

_KNOWN = "pitstop.cache.standby"
_REPORTED = "in_hot_standby"


def is_in_recovery(connection: Connection) -> bool:
    """Whether the server of a connection is a standby.

    PostgreSQL 14 and later reports it to the driver, when one connects and when it changes: nothing is sent.
    Where no report is found the server is asked, once for each connection.
    """
    if connection.dialect.name != "postgresql":
        return False
    reported = _reported(connection.connection.driver_connection)
    if reported is not None:
        return reported == "on"
    if _KNOWN not in connection.info:
        connection.info[_KNOWN] = bool(ask(connection, "select pg_is_in_recovery()")[0])
    return bool(connection.info[_KNOWN])


def ask(connection: Connection, query: str) -> Any:
    """The first row of a query, past SQLAlchemy: none of its events fires. In the present transaction."""
    driver = connection.connection.dbapi_connection
    assert driver is not None, "it has begun"
    cursor = driver.cursor()
    try:
        cursor.execute(query)
        return cursor.fetchone()
    finally:
        cursor.close()


def _reported(driver: Any) -> str | None:
    """What the driver was told: asyncpg in its settings, psycopg (2 and 3) in its info."""
    if hasattr(driver, "get_settings"):
        return getattr(driver.get_settings(), _REPORTED, None)
    status = getattr(getattr(driver, "info", None), "parameter_status", None)
    return status(_REPORTED) if status is not None else None
