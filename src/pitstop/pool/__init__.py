"""Pool and server: engines whose pools fit the server, and advice for its settings."""

from pitstop.pool.engine import (
    create_async_engine,
    create_engine,
    create_sync_engine,
    pool_status,
    session_factory,
)
from pitstop.pool.status import Holder, PoolEvent, PoolStatus

__all__ = [
    "Holder",
    "PoolEvent",
    "PoolStatus",
    "create_async_engine",
    "create_engine",
    "create_sync_engine",
    "pool_status",
    "session_factory",
]
