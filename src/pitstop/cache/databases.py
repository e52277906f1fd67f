"""Databases: the PostgreSQL engines that a process uses, and connections to them without an event loop."""

import threading
import weakref
from collections.abc import Callable
from typing import Any, Protocol, cast

import psycopg
from psycopg import pq
from sqlalchemy import URL, Connection, Engine, Pool, event

from pitstop.cache.standby import is_in_recovery

__all__ = ["Database", "database_of", "watch_engines"]

_CONNECT_SECONDS = 5
_APPLICATION = "pitstop outbox"

_lock = threading.Lock()
_watchers: "weakref.WeakSet[Watcher]" = weakref.WeakSet()
_seen: "weakref.WeakKeyDictionary[Pool, Database | None]" = weakref.WeakKeyDictionary()
_listening = False


class Watcher(Protocol):
    """Who wants to know of databases."""

    def add_database(self, database: "Database", *, connection: Connection | None = None) -> None:
        """An engine begins its first transaction in this process, on that connection; without one: it has."""


class Database:
    """One database.

    Args:
        url: what tells it from others.
        connect: opens a connection of psycopg.
        engine: that uses it.
    """

    def __init__(self, url: URL, connect: "Callable[[], psycopg.Connection[Any]]", *, engine: Engine) -> None:
        self.url = url
        self._connect = connect
        self._engine, self._pool = weakref.ref(engine), weakref.ref(engine.pool)

    def __str__(self) -> str:
        return f"{self.url.host or 'localhost'}/{self.url.database or ''}"  # neither user nor password

    @property
    def is_used(self) -> bool:
        """Whether the engine is still there, and not disposed of."""
        engine, pool = self._engine(), self._pool()
        return pool is not None and (engine is None or engine.pool is pool)

    def connect(self) -> "psycopg.Connection[Any]":
        """A new connection in autocommit mode.

        Raises:
            psycopg.Error: it cannot be had.
        """
        connection = self._connect()
        connection.autocommit = True
        return connection


def watch_engines(watcher: Watcher) -> None:
    """Tell of the database of each engine, those that were seen before included. Kept by a weak reference."""
    global _listening
    with _lock:
        if watcher in _watchers:
            return
        _watchers.add(watcher)
        if not _listening:
            _listening = True
            event.listen(Engine, "begin", _on_begin)
    for database in list(_seen.values()):
        if database is not None:
            watcher.add_database(database)


def database_of(engine: Engine) -> Database | None:
    """How to reach an engine's database from a thread; None if it is no PostgreSQL.

    A sync engine of psycopg gives what it was made with. Of others only the URL is known: what stands in
    their ``connect_args`` or in a creator of their own is not used.
    """
    if engine.dialect.name != "postgresql":
        return None
    url = engine.url.set(drivername="postgresql")
    if engine.dialect.driver == "psycopg" and not engine.dialect.is_async:
        connect = engine.pool._invoke_creator
        return Database(url, lambda: cast("psycopg.Connection[Any]", connect(None)), engine=engine)  # type: ignore[arg-type]
    address = _address(url)
    return Database(
        url,
        lambda: psycopg.connect(address, connect_timeout=_CONNECT_SECONDS, application_name=_APPLICATION),
        engine=engine,
    )


def _address(url: URL) -> str:
    """The URL with the options that libpq knows; drivers have others of their own."""
    known = {option.keyword.decode() for option in pq.Conninfo.get_defaults()}
    words = {"sslmode" if name == "ssl" else name: value for name, value in url.query.items()}
    query = {name: value for name, value in words.items() if name in known}
    return url.set(query=query).render_as_string(hide_password=False)


def _on_begin(connection: Connection) -> None:
    pool = connection.engine.pool
    if pool in _seen or is_in_recovery(connection):  # nothing is taken out there, and no lock is seen
        return
    database = database_of(connection.engine)
    if database is not None:
        for watcher in list(_watchers):
            watcher.add_database(database, connection=connection)
    _seen[pool] = database  # last: no other transaction passes before the watchers have looked
