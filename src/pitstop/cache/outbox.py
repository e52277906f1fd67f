"""The outbox: a table where invalidations wait while Redis is away, and who takes them out again.

A writer that cannot reach Redis inserts its tags in its own transaction. A process that comes back to Redis
takes out what is there, and waits for the writers that are inserting, before it trusts what Redis holds.
Others take rows out as they come.
"""

import contextlib
import logging
import threading
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any

import psycopg
from sqlalchemy import URL, Connection, text
from sqlalchemy.exc import SQLAlchemyError

from pitstop.cache.clock import clock
from pitstop.cache.coherence import Coherence
from pitstop.cache.commits import CommitsUnderWay
from pitstop.cache.databases import Database, database_of
from pitstop.cache.request import family_of
from pitstop.errors import RedisUnavailable
from pitstop.tables import UNTOLD

__all__ = ["DatabaseOutbox", "outbox_sql"]

log = logging.getLogger("pitstop.cache")

CHANNEL = "pitstop_outbox"
_EXISTS = "SELECT to_regclass('pitstop_outbox') IS NOT NULL"
_ASK_AGAIN_SECONDS = 60.0
_TICK_SECONDS = 5.0  # a relay looks so often, should it not have been woken
_LISTEN_SECONDS = 1.0
_BOUND_WAIT = "SET LOCAL lock_timeout = '2s'"
_PAUSE_SECONDS = 0.2
_ATTEMPTS = 3


@cache
def outbox_sql(name: str) -> str:
    """A statement of the room."""
    return (files("pitstop.cache") / "sql" / f"{name}.sql").read_text("utf-8")


class _Feed:
    """The outbox of one database, in this process.

    Attributes:
        installed: whether there is the table; None while that is not known.
        named: whether the user has said that it is there.
        settled: the epoch for which no commit is under way any more whose fence may have been lost.
    """

    __slots__ = ("complained", "database", "failures", "installed", "known_at", "named", "settled", "thread")

    def __init__(self, database: Database) -> None:
        self.database = database
        self.named = False
        self.failures = 0
        self.installed: bool | None = None
        self.known_at = 0.0
        self.complained = False
        self.settled = b""
        self.thread: threading.Thread | None = None

    def learn(self, installed: bool) -> None:
        """Whether the table exists."""
        self.installed, self.known_at, self.failures = installed, clock(), 0

    @property
    def absent(self) -> bool:
        """Whether it is known that there is no table."""
        return self.installed is False and clock() - self.known_at < _ASK_AGAIN_SECONDS

    @property
    def is_wanted(self) -> bool:
        """Whether the process still uses the database."""
        return self.named or self.database.is_used

    @property
    def is_out_of_reach(self) -> bool:
        """Whether it was never reached, though the application does: its address says too little."""
        return self.installed is None and not self.named and self.failures >= _ATTEMPTS

    @property
    def must_be_drained(self) -> bool:
        """Whether what is in Redis may not be trusted before."""
        return self.is_wanted and not self.is_out_of_reach


class DatabaseOutbox:
    """The outboxes of the databases that this process uses.

    Args:
        namespace: of the cache.
        tell: tells Redis of tags; raises :class:`RedisUnavailable`.
        coherence: the lease of this process. A lease that has lapsed by the word of Redis has another holder.
    """

    def __init__(
        self,
        namespace: str,
        *,
        tell: Callable[[tuple[str, ...]], None],
        coherence: Coherence,
    ) -> None:
        self._namespace = namespace
        self._tell = tell
        self._coherence = coherence
        self._commits = CommitsUnderWay(namespace, coherence=coherence)
        self._feeds: dict[URL, _Feed] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._open = False  # from the first lease until the cache is closed: only then are there threads

    def add_database(
        self, database: Database, *, named: bool = False, connection: Connection | None = None
    ) -> None:
        """Look after the outbox of a database, if it has one, and after the commits under way there.

        Args:
            database: that this process uses.
            named: whether it must be reached before what is in Redis is trusted.
            connection: one to it whose transaction is about to begin.
        """
        feed = self._feed(database)
        epoch = self._commits.new_epoch  # read after the feed is there: who joins looks at them in that order
        if epoch and feed.settled != epoch:
            if connection is not None and self._commits.are_none(connection):
                feed.settled = epoch
            else:
                self._coherence.distrust()  # the next lease is trusted when they have ended
        if named:
            feed.named, feed.database = True, database

    def store(self, connection: Connection, tags: tuple[str, ...]) -> bool:
        """Write tags down in a transaction; False if its database has no place for them."""
        database = database_of(connection.engine)
        if database is None:
            return False
        feed = self._feed(database)
        if feed.absent:
            return False
        rows = {"namespace": self._namespace, "tags": writable(tags)}
        try:
            with connection.begin_nested():  # a refusal must not end the transaction
                feed.learn(bool(connection.scalar(text(_EXISTS))))
                if feed.installed:
                    store = text(outbox_sql("outbox_store")).execution_options(**{UNTOLD: True})
                    connection.execute(store, rows)
        except SQLAlchemyError as error:
            log.error("the outbox of %s does not take %d tags: %s", database, len(tags), _first_line(error))
            return False
        return bool(feed.installed)

    def trusts(self, holder: bytes) -> bool:
        """Whether a new lease may be trusted at once; else it is approved when the outboxes are empty, and no
        commit is under way whose fence may have been lost.
        """
        self._open = True
        for feed in list(self._feeds.values()):
            self._begin(feed)
        feeds = [each for each in list(self._feeds.values()) if not each.absent or self._is_unsettled(each)]
        if not feeds:
            return True
        threading.Thread(
            target=self._drain, args=(holder, feeds), name="pitstop-cache-drain", daemon=True
        ).start()
        return False

    def close(self) -> None:
        """End the threads, soon; they begin again with the next lease."""
        with self._lock:
            self._open = False
            self._stop.set()
            self._stop = threading.Event()
            for feed in self._feeds.values():
                feed.thread = None

    def reset_after_fork(self) -> None:
        """In a child process: the threads are the parent's."""
        self._lock = threading.Lock()
        self._stop = threading.Event()
        for feed in self._feeds.values():
            feed.thread = None

    def drain(self, database: Database, *, holder: bytes) -> bool | None:
        """Take out all rows, also those that are being written and those that others are taking.

        Args:
            database: whose.
            holder: under whose lease; what is taken out after it is lost is put back.

        Returns:
            whether the lease is still held; None if there is no outbox.

        Raises:
            psycopg.Error: a writer or the database does not come to an end.
            RedisUnavailable: Redis cannot be told.
        """
        with database.connect() as connection:
            if not self._commits.wait(connection, holder=holder, stop=self._stop):
                return False
            if not _exists(connection):
                return None
            with connection.transaction():
                connection.execute(_BOUND_WAIT)
                connection.execute(outbox_sql("outbox_barrier"), {"namespace": self._namespace})
            while self._coherence.holder == holder:
                if not self._take(connection, waits=True, holder=holder):
                    return self._coherence.holder == holder
        return False

    def _feed(self, database: Database) -> _Feed:
        with self._lock:
            feed = self._feeds.get(database.url)
            if feed is None:
                feed = self._feeds[database.url] = _Feed(database)
            elif not feed.database.is_used:
                feed.database = database  # another engine for it
        self._begin(feed)
        return feed

    def _begin(self, feed: _Feed) -> None:
        with self._lock:
            if self._open and feed.thread is None:
                name = "pitstop-cache-outbox"
                feed.thread = threading.Thread(
                    target=self._relay, args=(feed, self._stop), name=name, daemon=True
                )
                feed.thread.start()

    def _is_unsettled(self, feed: _Feed) -> bool:
        epoch = self._commits.new_epoch
        return bool(epoch) and feed.settled != epoch

    def _drain(self, holder: bytes, feeds: list[_Feed]) -> None:
        """Drain each outbox under one lease, and approve it."""
        stop, epoch = self._stop, self._coherence.epoch
        for feed in feeds:
            while self._coherence.holder == holder and not stop.is_set() and feed.must_be_drained:
                try:
                    held = self.drain(feed.database, holder=holder)
                except (psycopg.Error, OSError, RedisUnavailable) as error:
                    self._complain(feed, error)
                    stop.wait(_PAUSE_SECONDS)
                    continue
                feed.learn(held is not None)
                feed.settled = feed.settled if held is False else epoch
                break
            if feed.settled != epoch and feed.is_wanted:
                self._commits.wait_out(holder=holder, stop=stop)
        if not stop.is_set():
            self._coherence.approve(holder)

    def _relay(self, feed: _Feed, stop: threading.Event) -> None:
        """Take rows out as they come, for as long as the process lives."""
        while not stop.is_set() and feed.is_wanted:
            try:
                with feed.database.connect() as connection:
                    feed.learn(_exists(connection))
                    feed.complained = False
                    if feed.installed:
                        self._listen(feed, connection, stop)
            except (psycopg.Error, OSError) as error:
                self._complain(feed, error)
            stop.wait(_ASK_AGAIN_SECONDS if feed.installed is False else _TICK_SECONDS)
        self._end(feed)

    def _end(self, feed: _Feed) -> None:
        """Its engine is gone, unless the thread was told to end."""
        with self._lock:
            if feed.thread is threading.current_thread():
                feed.thread = None
            if not feed.is_wanted:
                self._feeds.pop(feed.database.url, None)

    def _listen(self, feed: _Feed, connection: "psycopg.Connection[Any]", stop: threading.Event) -> None:
        connection.execute(f"LISTEN {CHANNEL}")
        due = 0.0
        while not stop.is_set() and feed.is_wanted:
            if clock() >= due:
                due = clock() + _TICK_SECONDS
                self._take_all(connection)
            for _ in connection.notifies(timeout=_LISTEN_SECONDS, stop_after=1):
                due = 0.0

    def _take_all(self, connection: "psycopg.Connection[Any]") -> None:
        try:
            while (holder := self._coherence.holder) and self._take(connection, waits=False, holder=holder):
                pass
        except RedisUnavailable:
            return  # the rows are back; the next tick tries again

    def _take(self, connection: "psycopg.Connection[Any]", *, waits: bool, holder: bytes) -> int:
        """Take some rows out and tell Redis of them; the number of rows.

        Redis first, then the commit: who dies between leaves the rows to another.
        """
        take, rows = outbox_sql("outbox_take"), []
        # a roll-back on a connection that is lost lets it through; whoever goes on learns of the loss
        with contextlib.suppress(psycopg.Rollback), connection.transaction():
            if waits:
                connection.execute(_BOUND_WAIT)
                take = take.replace(" SKIP LOCKED", "")
            rows = connection.execute(take, {"namespace": self._namespace}).fetchall()
            if rows:
                self._tell(tuple(dict.fromkeys(tag for (tags,) in rows for tag in tags)))
            if self._coherence.holder != holder:
                raise psycopg.Rollback
        return len(rows)

    def _complain(self, feed: _Feed, error: Exception) -> None:
        if not feed.is_wanted:
            return
        feed.failures += 1
        if feed.complained:
            return
        feed.complained = True
        cure = (
            ""
            if feed.installed
            else "; an engine with connect arguments of its own needs "
            "cache.use_outbox(create_engine('postgresql+psycopg://...'))"
        )
        log.warning("the outbox of %s cannot be read: %s%s", feed.database, _first_line(error), cure)


def writable(tags: tuple[str, ...]) -> list[str]:
    """Tags as PostgreSQL can keep them; of those that it cannot, their families, which cover them."""
    return list(dict.fromkeys(tag if _is_text(tag) else _family(tag) for tag in tags))


def _family(tag: str) -> str:
    kind, _, name = tag.partition(":")
    family = f"{kind}:{family_of(name)}"
    if not _is_text(family):
        log.error("tag %r cannot be written into an outbox", tag)
        return f"{kind}:"
    return family


def _is_text(tag: str) -> bool:
    return "\0" not in tag and not any("\ud800" <= each <= "\udfff" for each in tag)


def _exists(connection: "psycopg.Connection[Any]") -> bool:
    row = connection.execute(_EXISTS).fetchone()
    return bool(row and row[0])


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
