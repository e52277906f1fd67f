"""Watching what a load reads through SQLAlchemy: whether its value may be kept, and what it depends on.

A value must not be kept if it was read in a transaction that has written, or from objects that a session had
from before. What was read in a transaction that began before the load counts as read when that began. Every
transaction is stamped when it begins; a statement looks at the stamp of its connection. What was read on a
replica must have been read there after it had all that was committed when the load began.
"""

import threading
import weakref
from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session
from sqlalchemy.orm import Session, SessionTransaction, scoped_session

from pitstop.cache.changes import ChangeLog
from pitstop.cache.notes import Notes, current_notes
from pitstop.cache.replicas import obstacle_at
from pitstop.cache.request import with_families
from pitstop.cache.standby import is_in_recovery
from pitstop.cache.tracking import read_by
from pitstop.transactions import tables_written

__all__ = ["look_at_arguments", "reason_for_privacy", "watch_transactions"]

_STAMP = "pitstop.cache.stamp"
_ON_REPLICA = "pitstop.cache.stamp_on_replica"
_BEFORE = "its session had objects from before"
_CHANGES = "its session has changes that are not committed"
_WROTE = "its transaction has written"
_BEHIND = "its session had objects of a replica that may have been behind"

_lock = threading.Lock()
_logs: "weakref.WeakSet[ChangeLog]" = weakref.WeakSet()
_watching = False


class _Stamp:
    """What was known when a transaction began.

    Attributes:
        changes: the number of each change log.
        session: whose transaction it is; None for a connection without.
        had_objects: whether that session held loaded objects from before.
        wrote: whether it has written since.
        on_replica: whether its server is a standby.
        caught_up: whether that was found, since the transaction began and before its session had any object,
            to have all that was committed.
    """

    __slots__ = ("caught_up", "changes", "had_objects", "on_replica", "session", "wrote")

    def __init__(self, *, on_replica: bool) -> None:
        self.on_replica = on_replica
        self.caught_up = False
        self.changes = {log: log.changes for log in _logs}
        self.session: weakref.ref[Session] | None = None
        self.had_objects = False
        self.wrote = False


def watch_transactions(log: ChangeLog) -> None:
    """Watch every engine and session of the process, for one more change log."""
    global _watching
    with _lock:
        _logs.add(log)
        if _watching:
            return
        _watching = True
    event.listen(Engine, "begin", _on_begin)
    event.listen(Engine, "before_cursor_execute", _on_statement)
    event.listen(Session, "after_begin", _on_session_begin)


def reason_for_privacy(given: Iterable[Any]) -> str:
    """Why a call with these arguments may be given what no other may have; empty if nothing tells.

    A session among them, or among the attributes of one (``self.session``), has changes, or objects from
    before.
    """
    for session in _sessions_in(given):
        stamp = _stamp_of(session)
        if stamp is not None and stamp.wrote:
            return _WROTE
        if _has_changes(session):
            return _CHANGES
        if stamp.had_objects if stamp is not None else _has_loaded(session):
            return _BEFORE
    return ""


def look_at_arguments(notes: Notes, given: Iterable[Any]) -> None:
    """A session among them may answer from what it has, without a statement: from as early as it began."""
    for session in _sessions_in(given):
        stamp = _stamp_of(session)
        if stamp is not None:
            _look_at_stamp(notes, stamp)
            _look_at_objects(notes, session)


def _sessions_in(given: Iterable[Any]) -> Iterator[Session]:
    for each in given:
        for found in (each, *getattr(each, "__dict__", {}).values()):
            if isinstance(found, scoped_session | async_scoped_session):
                found = found.registry() if found.registry.has() else None  # noqa: PLW2901
            if isinstance(found, AsyncSession | Session):
                yield found.sync_session if isinstance(found, AsyncSession) else found


def _stamp_of(session: Session) -> _Stamp | None:
    """The stamp of the transaction that a session is in."""
    return session.info.get(_STAMP) if session.in_transaction() else None


def _has_changes(session: Session) -> bool:
    return bool(session.new or session.deleted or any(map(session.is_modified, session.dirty)))


def _on_begin(connection: Connection) -> None:
    connection.info[_STAMP] = _Stamp(on_replica=is_in_recovery(connection))


def _on_session_begin(session: Session, transaction: SessionTransaction, connection: Connection) -> None:
    stamp = connection.info.get(_STAMP)
    if stamp is None:
        return
    stamp.session = weakref.ref(session)
    first = session.info.get(_STAMP)
    if first is None or first.session is None or not transaction.nested:
        stamp.had_objects = _has_loaded(session)
    session.info[_STAMP] = stamp
    if stamp.on_replica:
        session.info[_ON_REPLICA] = stamp
    elif _ON_REPLICA in session.info and not _has_loaded(session):
        del session.info[_ON_REPLICA]


def _has_loaded(session: Session) -> bool:
    return any(not state.expired for state in session.identity_map.all_states())


def _on_statement(
    connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
) -> None:
    stamp = connection.info.get(_STAMP)
    if stamp is not None and not stamp.wrote and tables_written(context, statement):
        stamp.wrote = True
    notes = current_notes()
    if notes is not None:
        _look_at_statement(notes, stamp, connection, context)


def _look_at_statement(notes: Notes, stamp: _Stamp | None, connection: Connection, context: Any) -> None:
    if stamp is None:
        notes.keep_private("its transaction began before it was watched")
        return
    _look_at_stamp(notes, stamp)
    session = stamp.session() if stamp.session is not None else None
    if session is not None:
        _look_at_session(notes, session)
    if stamp.on_replica and not stamp.caught_up:
        _look_at_replica(notes, stamp, connection)
    tracked = [each for each in notes.within() if each.track]
    tags = read_by(context) if tracked else ()
    for each in tracked:
        if tags is None:
            each.refuse("a textual statement does not tell what it reads")
        else:
            each.depend(with_families(tags))


def _look_at_stamp(notes: Notes, stamp: _Stamp) -> None:
    for each in notes.within():
        change = stamp.changes.get(each.log)
        if change is None:
            each.keep_private("its transaction began before it was watched")
        else:
            each.read_since(change)
        if stamp.wrote:
            each.keep_private(_WROTE)
        if stamp.had_objects:
            each.keep_private(_BEFORE)


def _look_at_session(notes: Notes, session: Session) -> None:
    if _has_changes(session):
        for each in notes.within():
            each.keep_private(_CHANGES)
    _look_at_objects(notes, session)


def _look_at_objects(notes: Notes, session: Session) -> None:
    """What a session has from a replica may be older than the transaction."""
    stamp = session.info.get(_ON_REPLICA)
    if stamp is not None and not stamp.caught_up and _has_loaded(session):
        for each in notes.within():
            each.keep_private(_BEHIND)


def _look_at_replica(notes: Notes, stamp: _Stamp, connection: Connection) -> None:
    if all(each.obstacle for each in notes.within()):
        for each in notes.within():
            each.private = True
        return
    why = obstacle_at(connection)
    stamp.caught_up = not why
    for each in notes.within() if why else ():
        each.keep_private(why)
