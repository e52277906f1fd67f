"""Pitstop makes slow Python backends fast, and proves it.

Observe, diagnose, fix, prove, watch: for FastAPI (any ASGI), SQLAlchemy 2, PostgreSQL and Redis.
The names here are the ones most applications need; the rest is in ``pitstop.<room>``. Each is
imported when it is first used, so ``from pitstop import count_queries`` loads no other room.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pitstop.app import Pitstop as Pitstop
    from pitstop.cache import Cache as Cache
    from pitstop.errors import PitstopError as PitstopError
    from pitstop.pool import create_engine as create_engine
    from pitstop.postgres import explain as explain
    from pitstop.servers import private_servers as private_servers
    from pitstop.sql import NPlusOne as NPlusOne
    from pitstop.sql import Queries as Queries
    from pitstop.sql import Statement as Statement
    from pitstop.sql import count_queries as count_queries
    from pitstop.sql import observe as observe
    from pitstop.sql import peer_loading as peer_loading
    from pitstop.sql import read_model as read_model
    from pitstop.web import implicit_loading as implicit_loading

__version__ = "0.1.0"

_HOMES = {
    "Cache": "pitstop.cache",
    "NPlusOne": "pitstop.sql",
    "Pitstop": "pitstop.app",
    "PitstopError": "pitstop.errors",
    "Queries": "pitstop.sql",
    "Statement": "pitstop.sql",
    "count_queries": "pitstop.sql",
    "create_engine": "pitstop.pool",
    "explain": "pitstop.postgres",
    "implicit_loading": "pitstop.web",
    "observe": "pitstop.sql",
    "peer_loading": "pitstop.sql",
    "private_servers": "pitstop.servers",
    "read_model": "pitstop.sql",
}

__all__ = [
    "Cache",
    "NPlusOne",
    "Pitstop",
    "PitstopError",
    "Queries",
    "Statement",
    "count_queries",
    "create_engine",
    "explain",
    "implicit_loading",
    "observe",
    "peer_loading",
    "private_servers",
    "read_model",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'pitstop' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
