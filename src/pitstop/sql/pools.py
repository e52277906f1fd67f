"""The pools of the engines that were observed, as they were set."""

from collections.abc import Callable
from typing import Any
from weakref import WeakSet, ref

from pitstop.store import PoolSettings

__all__ = ["note_pool", "observed_pools"]

_noted: "WeakSet[Any]" = WeakSet()
_latest: Callable[[], Any] = type(None)  # a dead reference
_MOST = 100  # an application with an engine for each of its tenants
_settings: dict[tuple[str, str, str], PoolSettings] = {}


def note_pool(connection: Any) -> None:
    """Take note of the pool of a connection; cheap where it is the one of the last statement."""
    global _latest
    engine = connection.engine
    if _latest() is engine:
        return
    _latest = ref(engine)
    pool = engine.pool
    if pool in _noted or len(_settings) >= _MOST or connection.dialect.name != "postgresql":
        return
    found = PoolSettings(
        database=engine.url.database or "",
        driver=connection.dialect.driver,
        pool=type(pool).__name__,
        size=_number(pool, "size"),
        overflow=getattr(pool, "_max_overflow", 0),
        recycle_s=pool._recycle,
        pre_ping=bool(pool._pre_ping),
    )
    _noted.add(pool)
    _settings[found.key] = found


def observed_pools() -> list[PoolSettings]:
    """Those that were noted in this process."""
    return list(_settings.values())


def _number(pool: Any, name: str) -> int:
    told = getattr(pool, name, None)
    return int(told()) if callable(told) else 0
