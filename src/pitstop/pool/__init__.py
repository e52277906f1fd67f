"""Pool and server: engines whose pools fit the server, and advice for its settings."""

from pitstop.pool.engine import (
    create_async_engine,
    create_engine,
    create_sync_engine,
    pool_status,
    session_factory,
)
from pitstop.pool.sizing import PoolSize, size_pool
from pitstop.pool.status import Holder, PoolEvent, PoolStatus

__all__ = [
    "Holder",
    "PoolEvent",
    "PoolSize",
    "PoolStatus",
    "create_async_engine",
    "create_engine",
    "create_sync_engine",
    "pool_status",
    "session_factory",
    "size_pool",
]
