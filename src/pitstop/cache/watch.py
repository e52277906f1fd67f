"""Watching what a load reads through SQLAlchemy: whether its value may be kept, and what it depends on.

A value must not be kept if it was read in a transaction that has written, or from objects that a session had
from before. What was read in a transaction that began before the load counts as read when that began. Every
transaction is stamped when it begins; a statement looks at the stamp of its connection.
"""

import threading
import weakref
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import ORMExecuteState, Session, SessionTransaction

from pitstop.cache.changes import ChangeLog
from pitstop.cache.notes import Notes, current_notes
from pitstop.cache.request import with_families
from pitstop.cache.tracking import read_by, writes_by, written_by
from pitstop.transactions import note_tables

__all__ = ["look_at_argument", "watch_transactions"]

_STAMP = "pitstop.cache.stamp"
_BEFORE = "its session had objects from before"

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
    """

    __slots__ = ("changes", "had_objects", "session", "wrote")

    def __init__(self) -> None:
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
    event.listen(Session, "do_orm_execute", _on_orm_statement)


def look_at_argument(notes: Notes, value: object) -> None:
    """A load was given this: a session may answer from objects it has, without any statement."""
    session = value.sync_session if isinstance(value, AsyncSession) else value
    if not isinstance(session, Session) or not len(session.identity_map):
        return
    stamp = session.info.get(_STAMP)
    if session.in_transaction() and stamp is not None:
        _look_at_stamp(notes, stamp)
        _look_at_session(notes, session)
    elif _has_loaded(session):
        notes.refuse(_BEFORE)


def _on_begin(connection: Connection) -> None:
    connection.info[_STAMP] = _Stamp()


def _on_session_begin(session: Session, transaction: SessionTransaction, connection: Connection) -> None:
    stamp = connection.info.get(_STAMP)
    if stamp is None:
        return
    stamp.session = weakref.ref(session)
    first = session.info.get(_STAMP)
    if first is None or first.session is None or not transaction.nested:
        stamp.had_objects = _has_loaded(session)
    session.info[_STAMP] = stamp


def _has_loaded(session: Session) -> bool:
    return any(not state.expired for state in session.identity_map.all_states())


def _on_orm_statement(state: ORMExecuteState) -> None:
    """Before the session's changes are flushed, after which they cannot be told from the database's."""
    notes = current_notes()
    if notes is not None:
        _look_at_session(notes, state.session)


def _on_statement(
    connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
) -> None:
    stamp = connection.info.get(_STAMP)
    writes = writes_by(context, statement)
    if writes and stamp is not None:
        _on_write(stamp, context)
    notes = current_notes()
    if notes is not None:
        _look_at_statement(notes, stamp, context)


def _on_write(stamp: _Stamp, context: Any) -> None:
    stamp.wrote = True
    session = stamp.session() if stamp.session is not None else None
    if session is not None:
        note_tables(session, written_by(context, session))


def _look_at_statement(notes: Notes, stamp: _Stamp | None, context: Any) -> None:
    if stamp is None:
        notes.refuse("its transaction began before it was watched")
        return
    _look_at_stamp(notes, stamp)
    session = stamp.session() if stamp.session is not None else None
    if session is not None:
        _look_at_session(notes, session)
    if notes.track:
        tags = read_by(context)
        if tags is None:
            notes.refuse("a textual statement does not tell what it reads")
        else:
            notes.depend(with_families(tags))


def _look_at_stamp(notes: Notes, stamp: _Stamp) -> None:
    if stamp.wrote:
        notes.refuse("its transaction has written")
    if stamp.had_objects:
        notes.refuse(_BEFORE)
    change = stamp.changes.get(notes.log)
    if change is None:
        notes.refuse("its transaction began before it was watched")
    else:
        notes.read_since(change)


def _look_at_session(notes: Notes, session: Session) -> None:
    if session.new or session.deleted or any(map(session.is_modified, session.dirty)):
        notes.refuse("its session has changes that are not committed")
