"""How large a pool should be: from the cores of the server, the workers, and the connections it allows."""

import math
from dataclasses import dataclass

from pitstop.errors import SettingsError
from pitstop.pool.survey import SPARE_CONNECTIONS

__all__ = ["PoolSize", "size_pool"]

RESERVED = 3  # superuser_reserved_connections as PostgreSQL has it


@dataclass(frozen=True, slots=True)
class PoolSize:
    """What fits.

    Attributes:
        size: connections that stay open in each worker.
        overflow: more of them under load.
        total: of all workers, overflow included.
        reason: why so many, in a sentence.
    """

    size: int
    overflow: int
    total: int
    reason: str


def size_pool(
    *, cores: int, workers: int = 1, max_connections: int = 100, reserved: int = RESERVED
) -> PoolSize:
    """How large the pool of each worker should be.

    A server works on about ``2 * cores + 1`` statements at a time; more connections than that wait in the
    server instead of in the pool, and cost memory (PostgreSQL's wiki, "Number Of Database Connections").
    Overflow is for connections that are held while nothing runs on them.

    Args:
        cores: of the database server.
        workers: processes with a pool, all hosts together.
        max_connections: of the server.
        reserved: how many of them are kept for superusers.

    Raises:
        SettingsError: there are more workers than connections.
    """
    for name, value in (("cores", cores), ("workers", workers), ("max_connections", max_connections)):
        if value < 1:
            raise SettingsError(f"{name} is {value}: it must be 1 or more")
    share = (max_connections - reserved - SPARE_CONNECTIONS) // workers
    if share < 1:
        raise SettingsError(
            f"{max_connections} connections are not enough for {workers} workers: "
            f"{reserved + SPARE_CONNECTIONS} are kept for others; use fewer workers, or PgBouncer"
        )
    busy = 2 * cores + 1
    size = min(math.ceil(busy / workers), share)
    overflow = min(2 * size, share - size)
    return PoolSize(
        size,
        overflow,
        (size + overflow) * workers,
        f"{cores} cores work on about {busy} statements at a time; {max_connections} connections less "
        f"{reserved + SPARE_CONNECTIONS} for others leave {share} to each of {workers} workers",
    )
