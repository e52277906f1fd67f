"""The survey: what the first connection of a pool finds out of the server and of what stands in between."""

import logging
from dataclasses import dataclass
from importlib import resources
from typing import Any

from sqlalchemy.pool import ConnectionPoolEntry

__all__ = ["SPARE_CONNECTIONS", "Survey", "survey"]

log = logging.getLogger("pitstop.pool")

SPARE_CONNECTIONS = 5  # for psql, migrations, monitoring and the cache's listener
_UNKNOWN = 1_000_000


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found.

    Attributes:
        pooler: whether a connection pooler stands in between.
        budget: connections that all workers together may open.
    """

    pooler: bool
    budget: int

    def limit(self, most: int, *, workers: int) -> int:
        """How many connections one worker may open.

        Args:
            most: how many it would.
            workers: how many there are; a pooler bounds its clients itself.
        """
        return most if self.pooler else max(1, min(most, self.budget // workers))


def survey(entry: ConnectionPoolEntry, *, pooler: bool | None, error: type[Exception]) -> Survey:
    """Ask a new connection; one that cannot tell sets no bound.

    A pooler makes up the process number that it gives its clients for cancelling, as PgBouncer, Odyssey
    and pgcat do: it is not the one of the server process that answers.

    Args:
        entry: whose connection has no transaction.
        pooler: what is known of it, or None.
        error: what the driver raises when the server refuses; then there is no bound.
    """
    connection: Any = entry.dbapi_connection
    try:
        cursor = connection.cursor()
        cursor.execute(resources.files("pitstop.pool").joinpath("sql", "survey.sql").read_text("utf-8"))
        process, most, reserved, of_role, of_database = cursor.fetchone()
        cursor.close()
        connection.rollback()
    except error as refused:
        log.warning("the number of connections is not bounded: the server does not tell: %s", refused)
        connection.rollback()
        return Survey(bool(pooler), _UNKNOWN)
    bounds = [most - reserved - SPARE_CONNECTIONS, *(each for each in (of_role, of_database) if each >= 0)]
    between = _process_of(entry.driver_connection) not in (None, process)
    return Survey(between if pooler is None else pooler, max(1, min(bounds)))


def _process_of(driver_connection: Any) -> int | None:
    """The number of the server process that the handshake told, where the driver tells it."""
    if hasattr(driver_connection, "get_server_pid"):  # asyncpg
        return int(driver_connection.get_server_pid())
    number = getattr(getattr(driver_connection, "info", None), "backend_pid", None)  # psycopg, psycopg2
    return int(number) if number else None
