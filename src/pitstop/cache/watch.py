"""Watching what a load reads through SQLAlchemy: whether it may be kept, and what it depends on.

A value must not be kept if it was read in a transaction that has written, in a snapshot older than the load,
or from objects that a session had before. Every transaction gets a stamp when it begins; a statement that
runs within a load looks at the stamp of its connection.
"""

import threading
import weakref
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.orm import ORMExecuteState, Session, SessionTransaction

from pitstop.cache.notes import Notes, current_notes

__all__ = ["watch_transactions"]

_SESSION = "pitstop.cache.session"
_BEGAN = "pitstop.cache.began"
_watched = threading.Lock()
_watching: list[bool] = []


def watch_transactions() -> None:
    """Watch every engine and session of the process, once."""
    with _watched:
        if _watching:
            return
        _watching.append(True)
    event.listen(Engine, "begin", _on_begin)
    event.listen(Engine, "before_cursor_execute", _on_statement)
    event.listen(Session, "after_begin", _on_session_begin)
    event.listen(Session, "do_orm_execute", _on_orm_statement)


def _on_begin(connection: Connection) -> None:
    connection.info[_BEGAN] = current_notes()
    connection.info.pop(_SESSION, None)


def _on_session_begin(session: Session, transaction: SessionTransaction, connection: Connection) -> None:
    connection.info[_SESSION] = weakref.ref(session), bool(len(session.identity_map))


def _on_orm_statement(state: ORMExecuteState) -> None:
    """A session may answer from objects it has; look before it does."""
    notes = current_notes()
    if notes is not None:
        _look_at(notes, state.session)


def _on_statement(
    connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
) -> None:
    notes = current_notes()
    if notes is not None:
        _look_at_transaction(notes, connection, context)


def _look_at_transaction(notes: Notes, connection: Connection, context: Any) -> None:
    if connection.info.get(_BEGAN) is not notes:
        notes.refuse("its transaction began before the call")
    if context is not None and (context.isinsert or context.isupdate or context.isdelete):
        notes.refuse("it writes")
    of, had_objects = connection.info.get(_SESSION, (None, False))
    session = of() if of is not None else None
    if had_objects:
        notes.refuse("its session had objects from before")
    if session is not None:
        _look_at(notes, session)


def _look_at(notes: Notes, session: Session) -> None:
    if session.new or session.dirty or session.deleted:
        notes.refuse("its session has changes that are not committed")
