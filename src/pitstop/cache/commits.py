"""Commits under way: who is about to commit says so in the database, should Redis lose its fence.

A Redis that was started anew has no fences. What is read before such a commit and kept would stay: a writer
that lives announces again, one that is killed does not. So each of them holds a shared advisory lock from
before its fence to the end of its transaction, and under a new epoch nothing is kept before those that were
seen have ended. Nobody ever waits for that lock itself.
"""

import threading
from hashlib import blake2b
from importlib.resources import files
from typing import Any

import psycopg
from sqlalchemy import Connection

from pitstop.cache.clock import clock
from pitstop.cache.coherence import Coherence

__all__ = ["CommitsUnderWay", "lock_number"]

_LOOK_AGAIN_SECONDS = 0.05
_PREPARED = "-1/"  # a transaction prepared for two phases changes its name


def lock_number(namespace: str) -> int:
    """The advisory lock of those who commit what a cache with this namespace keeps."""
    name = f"pitstop fence {namespace}".encode()
    return int.from_bytes(blake2b(name, digest_size=8).digest(), "big", signed=True)


class CommitsUnderWay:
    """What one process knows of the commits that may have lost their fences.

    Args:
        namespace: of the cache.
        coherence: its lease, which knows of new epochs.
    """

    def __init__(self, namespace: str, *, coherence: Coherence) -> None:
        text = (files("pitstop.cache") / "sql" / "commits_under_way.sql").read_text("utf-8")
        self._query = text.format(lock=lock_number(namespace))
        self._coherence = coherence

    @property
    def new_epoch(self) -> bytes:
        """The present epoch while fences that were lost before it may be missed; empty after that."""
        return self._coherence.epoch if clock() < self._coherence.young_until else b""

    def wait(self, connection: "psycopg.Connection[Any]", *, holder: bytes, stop: threading.Event) -> bool:
        """Wait until those of this moment have ended, or their fences have run out.

        Returns:
            whether that is so; False if the lease of ``holder`` was lost, or ``stop`` is set, before.

        Raises:
            psycopg.Error: the database does not answer.
        """
        awaited: set[str] | None = None
        while self.new_epoch:
            seen = {name for (name,) in connection.execute(self._query)}
            awaited = seen if awaited is None else _left(awaited, seen)
            if not awaited:
                break
            if self._coherence.holder != holder or stop.wait(_LOOK_AGAIN_SECONDS):
                return False
        return True

    def wait_out(self, *, holder: bytes, stop: threading.Event) -> None:
        """Where the database cannot be asked: wait until all fences that were lost have run out."""
        while self.new_epoch and self._coherence.holder == holder and not stop.wait(_LOOK_AGAIN_SECONDS):
            pass

    def are_none(self, connection: Connection) -> bool:
        """Whether there are none, by a connection of the application before its transaction begins."""
        driver = connection.connection.dbapi_connection
        assert driver is not None, "it has begun"
        try:
            cursor = driver.cursor()
            try:
                cursor.execute(self._query)
                return not cursor.fetchall()
            finally:
                cursor.close()
                driver.rollback()
        except connection.dialect.loaded_dbapi.Error:
            return False  # the transaction itself will say what is wrong


def _left(awaited: set[str], seen: set[str]) -> set[str]:
    return {name for name in seen if name in awaited or name.startswith(_PREPARED)}
