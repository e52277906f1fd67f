"""Replicas: whether what a load is about to read there has all that was committed when it began.

A load asks the primary how far its log reaches, after it has seen the tokens of its tags: what was committed
before them lies below. Then it asks the replica how far it has replayed, on the connection that it reads on
and before it reads. Nothing needs to be known of who wrote.
"""

import asyncio
import logging
import threading
import time
import weakref
from concurrent.futures import Future
from typing import Any

import psycopg
from sqlalchemy import Connection, Dialect, Engine
from sqlalchemy.util import await_only
from sqlalchemy.util.concurrency import in_greenlet

from pitstop.cache.clock import clock
from pitstop.cache.databases import Database
from pitstop.cache.standby import ask

__all__ = ["Primary", "name_replica", "obstacle_at"]

log = logging.getLogger("pitstop.cache")

_WRITTEN = "select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')"
_REPLAYED = (
    "select current_setting('transaction_isolation'), pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')"
)
_EACH_ITS_SNAPSHOT = ("read committed", "read uncommitted")
_ANSWER_SECONDS = 1.0
_LOOK_AGAIN_SECONDS = 0.005
_IDLE_SECONDS = 10.0

_primaries: "weakref.WeakKeyDictionary[Dialect, Primary]" = weakref.WeakKeyDictionary()


class Primary:
    """What replicas replay: asked by a thread with one connection, which all loads of the process share.

    A load may hold all the connections of the application's pool: it must not need one more of them.

    Args:
        database: the primary.
        wait: seconds that a load waits at most for a replica to catch up.
    """

    def __init__(self, database: Database, *, wait: float) -> None:
        self._database = database
        self._wait = wait
        self.reset_after_fork()

    def reset_after_fork(self) -> None:
        """In a child process: the thread and its connection are the parent's."""
        self._asked = threading.Condition()
        self._next: Future[int | None] | None = None
        self._late: Future[int | None] | None = None
        self._thread: threading.Thread | None = None
        self._complained = False

    def close(self) -> None:
        """End the thread, soon; the next load that asks begins another."""
        with self._asked:
            self._thread = None
            question, self._next = self._next, None
            self._asked.notify_all()
        if question is not None:
            question.set_result(None)

    def obstacle(self, connection: Connection) -> str:
        """Why what comes next on a connection to a replica may lack what is committed; empty if it cannot."""
        written = self._written()
        if written is None:
            return "the primary of its replica did not answer"
        until = clock() + self._wait
        while True:
            isolation, replayed = ask(connection, _REPLAYED)
            if isolation not in _EACH_ITS_SNAPSHOT:  # it is older than the answer
                return f"it read on a replica at isolation level {isolation}"
            if replayed is not None and replayed >= written:
                return ""
            left = until - clock()
            if left <= 0:
                return "its replica was behind"
            _sleep(min(left, _LOOK_AGAIN_SECONDS))

    def _written(self) -> int | None:
        """How far the log of the primary reaches; None if that is not to be had now."""
        if self._late is not None and not self._late.done():
            return None
        answer = self._ask()
        try:
            return _outcome(answer)
        except TimeoutError:
            self._late = answer
            return None

    def _ask(self) -> "Future[int | None]":
        """The answer to a question that is put after this moment."""
        with self._asked:
            if self._next is None:
                self._next = Future()
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="pitstop-cache-primary", daemon=True)
                self._thread.start()
            self._asked.notify_all()
            return self._next

    def _run(self) -> None:
        connection: psycopg.Connection[Any] | None = None
        try:
            while (question := self._question()) is not None:
                try:
                    connection = connection or self._database.connect()
                    row = connection.execute(_WRITTEN).fetchone()
                    question.set_result(int(row[0]) if row else None)
                    self._complained = False
                except (psycopg.Error, OSError) as error:
                    question.set_result(None)
                    self._complain(error)
                    if connection is not None:
                        connection.close()
                    connection = None
        finally:
            if connection is not None:
                connection.close()

    def _question(self) -> "Future[int | None] | None":
        """The next to be answered; None when the thread is to end, because nobody asks or it is closed."""
        me = threading.current_thread()
        with self._asked:
            self._asked.wait_for(lambda: self._next or self._thread is not me, _IDLE_SECONDS)
            if self._thread is not me:
                return None
            question, self._next = self._next, None
            if question is None:
                self._thread = None
            return question

    def _complain(self, error: Exception) -> None:
        if not self._complained:
            self._complained = True
            log.warning("the primary %s does not tell how far its log reaches: %s", self._database, error)


def name_replica(replica: Engine, *, of: Primary) -> None:
    """Loads that read on this engine are kept if it has what its primary had."""
    _primaries[replica.dialect] = of  # shared by the engines of its options; outlives a pool


def obstacle_at(connection: Connection) -> str:
    """Why what is read on a connection to a standby must not be kept; empty if it may be."""
    primary = _primaries.get(connection.dialect)
    return "it read on a replica" if primary is None else primary.obstacle(connection)


def _outcome(answer: "Future[int | None]") -> int | None:
    if not in_greenlet():
        return answer.result(_ANSWER_SECONDS)
    # others wait for it too: it outlives who gives up
    waiting = asyncio.shield(asyncio.wrap_future(answer))
    return await_only(asyncio.wait_for(waiting, _ANSWER_SECONDS))


def _sleep(seconds: float) -> None:
    if in_greenlet():
        await_only(asyncio.sleep(seconds))
    else:
        time.sleep(seconds)
