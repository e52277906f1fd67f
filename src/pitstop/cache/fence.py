"""The fence around a commit: what a session wrote is dropped by every process before the commit returns."""

import logging
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any, Protocol

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session
from sqlalchemy.util import await_only
from sqlalchemy.util.concurrency import in_greenlet

from pitstop.cache.commits import lock_number
from pitstop.cache.driver import AsyncDriver, BlockingDriver
from pitstop.cache.effects import Steps
from pitstop.cache.invalidation import FENCE_SECONDS, Fence, Invalidation
from pitstop.cache.outbox import writable
from pitstop.cache.request import user_tag
from pitstop.cache.row_rules import RowRule, RowTags, tracked_tags
from pitstop.cache.tracking import row_family, table_tag
from pitstop.errors import FenceFailed, RedisUnavailable
from pitstop.tables import UNKNOWN_TABLE
from pitstop.transactions import Changes

__all__ = ["CommitFence", "Outbox"]

log = logging.getLogger("pitstop.cache")

# Between fence and COMMIT the database ends a transaction whose process is frozen: it must not commit when
# the fence has run out. A shorter time of the user's own stays.
# What is fenced is said too: triggers need not tell of it again. And that it is, to those who have lost it.
_MARK_FENCED = text((files("pitstop.cache") / "sql" / "mark_fenced.sql").read_text("utf-8"))
_UNMARK_FENCED = text((files("pitstop.cache") / "sql" / "unmark_fenced.sql").read_text("utf-8"))
_ATTEMPTS = 3  # to fence a commit; the last after a whole lease


class Outbox(Protocol):
    """Where invalidations wait while Redis is away, in the database of the transaction."""

    def store(self, connection: Connection, tags: tuple[str, ...]) -> bool:
        """Write them down in this transaction; False if the database has no place for them."""


class _Commit:
    """A commit under way."""

    __slots__ = ("connection", "driver_connection", "fence", "lost", "settings", "tags", "unfenced")

    def __init__(self, connection: Connection, tags: tuple[str, ...]) -> None:
        self.connection = connection
        self.driver_connection = connection.connection.dbapi_connection
        self.tags = tags
        self.lost = False
        self.settings: tuple[str | None, str] | None = None
        self.fence: Fence | None = None
        self.unfenced = False


class CommitFence:
    """Takes part in the commits of sessions.

    Args:
        invalidation: makes the other processes drop what changes.
        driver, blocking: drive its flows, in an async session and in a sync one.
        refuses: whether a commit that cannot be fenced is refused.
        outbox: keeps what Redis could not be told; None for this process only.
        namespace: of the cache.
    """

    def __init__(
        self,
        invalidation: Invalidation,
        *,
        driver: AsyncDriver,
        blocking: BlockingDriver,
        refuses: bool,
        outbox: Outbox | None,
        namespace: str = "pitstop",
    ) -> None:
        self._invalidation = invalidation
        self._driver = driver
        self._blocking = blocking
        self._refuses = refuses
        self._outbox = outbox
        self._namespace = namespace
        self._lock = lock_number(namespace)
        self._rules: list[RowRule] = []
        self._open: dict[int, _Commit] = {}
        self.tracks = False

    def add(self, model: type, tags: RowTags, *, columns: Iterable[str] = ()) -> None:
        """Rows of this model carry these tags; of a changed one only if one of these columns changed."""
        self._rules.append(RowRule(model, tags, columns))

    def note(self, kind: str, instance: Any, before: Mapping[str, Any]) -> Iterable[str]:
        """The tags of a written row, as it is and as it was."""
        found: list[str] = []
        for rule in self._rules:
            if rule.concerns(kind, instance, before):
                found += rule.of(instance)
                if before:
                    found += rule.before(instance, before)
        if self.tracks:
            found += tracked_tags(instance, before)
        return found

    def link(self, session: Session, table: str, rows: Iterable[Mapping[str, Any]]) -> Iterable[str]:
        """The tags of the objects that a flush has linked or parted, by an association table."""
        found = {tag for rule in self._rules for tag in rule.linked(session, table, rows)}
        return found | {table_tag(table), row_family(table)} if self.tracks else found

    def before_commit(self, connection: Connection, changes: Changes) -> None:
        """Fence what the transaction wrote."""
        tags = self._tags(changes)
        if not tags:
            return
        self._open[id(changes)] = commit = _Commit(connection, tags)
        self._mark(commit)  # first: who finds no fence must find the commit under way
        try:
            commit.fence = self._drive(self._invalidation.fence(tags))
        except RedisUnavailable as error:
            self._without(commit, error)

    def _mark(self, commit: _Commit) -> None:
        """Say in the database what is about to be committed; nobody else asks where there is no Redis."""
        if self._outbox is None or commit.connection.dialect.name != "postgresql":
            return
        ms = int(FENCE_SECONDS / 2 * 1000)
        fenced = [f"{self._namespace}/{tag}" for tag in writable(commit.tags)]
        values = {"ms": str(ms), "most": ms, "fenced": fenced, "lock": self._lock}
        was_fenced, idle, *_ = commit.connection.execute(_MARK_FENCED, values).one()
        commit.settings = was_fenced, idle

    def _unmark(self, commit: _Commit) -> None:
        """It has no fence: triggers are to tell of it, and it may wait for as long as it takes."""
        if commit.settings is not None:
            fenced, idle = commit.settings
            commit.connection.execute(_UNMARK_FENCED, {"fenced": fenced, "idle": idle})

    def _without(self, commit: _Commit, error: RedisUnavailable) -> None:
        """What is done when Redis cannot be reached: refuse, or wait until nobody trusts it, and go on."""
        if self._refuses:
            raise FenceFailed(
                f"commit refused: redis cannot be told what changes ({error}); retry when it is back, or "
                "choose on_fence_failure='outbox'"
            ) from error
        self._unmark(commit)
        kept = False
        for attempt in range(_ATTEMPTS):
            waited = self._drive(self._invalidation.wait_out(whole=attempt == _ATTEMPTS - 1))
            # the fence is tried after the row is written: who looks for rows and finds none has Redis by then
            kept = kept or (self._outbox is not None and self._outbox.store(commit.connection, commit.tags))
            try:
                commit.fence = self._drive(self._invalidation.fence(commit.tags))
            except RedisUnavailable:
                if waited:
                    break
            else:
                self._mark(commit)
                return
        self._invalidation.begin_unfenced()
        commit.unfenced = True
        if not kept:
            log.warning(
                "committed while redis is away; %d tags wait in this process until it is back",
                len(commit.tags),
            )

    def after_commit(self, changes: Changes) -> None:
        """Take the fence off; what it fenced gets new tokens."""
        commit = self._open.pop(id(changes), None)
        if commit is None:
            return
        if commit.fence is not None:
            self._drive(self._invalidation.release(commit.fence))
        elif commit.unfenced:
            self._drive(self._invalidation.end_unfenced(commit.tags))

    def after_rollback(self, changes: Changes) -> None:
        """Take the fence off, unless it is not known whether the transaction was committed."""
        commit = self._open.pop(id(changes), None)
        if commit is None:
            return
        if commit.fence is not None and not commit.lost:
            self._drive(self._invalidation.release(commit.fence))
        elif commit.fence is not None:
            self._invalidation.abandon(commit.fence)
        elif commit.unfenced:
            self._drive(self._invalidation.end_unfenced(commit.tags if commit.lost else ()))

    def connection_lost(self, driver_connection: Any) -> None:
        """Of a commit on it that is under way nobody knows whether it happened, or will."""
        for commit in list(self._open.values()):
            if commit.driver_connection is driver_connection:
                commit.lost = True

    def _tags(self, changes: Changes) -> tuple[str, ...]:
        """Internal names of all that the transaction changes."""
        names = dict.fromkeys(map(user_tag, changes.notes))
        for table in changes.tables:
            for rule in self._rules:
                if table == UNKNOWN_TABLE or table in rule.tables or table in rule.links:
                    names.update(dict.fromkeys(map(user_tag, rule.families)))
        if self.tracks:
            for table in changes.tables:
                names.update(dict.fromkeys((user_tag(table_tag(table)), user_tag(row_family(table)))))
        return tuple(names)

    def _drive(self, flow: Steps[Any]) -> Any:
        if in_greenlet():
            return await_only(self._driver.drive(flow))
        return self._blocking.drive(flow)
