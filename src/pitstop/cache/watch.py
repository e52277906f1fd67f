"""Watching what a load reads through SQLAlchemy: whether it may be kept, and what it depends on.

A value must not be kept if it was read in a transaction that has written, in a snapshot older than the load,
or from objects that a session had before. Every transaction gets a stamp when it begins; a statement that
runs within a load looks at the stamp of its connection.
"""

import threading
import weakref
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session
from sqlalchemy.orm import ORMExecuteState, Session, SessionTransaction, scoped_session

from pitstop.cache.notes import Notes, current_notes

__all__ = ["reason_for_privacy", "watch_transactions"]

_SESSION = "pitstop.cache.session"
_BEGAN = "pitstop.cache.began"
_OLD_TRANSACTION = "its transaction began before the call"
_OLD_OBJECTS = "its session had objects from before"
_CHANGES = "its session has changes that are not committed"
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
    event.listen(Session, "after_transaction_end", _on_transaction_end)
    event.listen(Session, "do_orm_execute", _on_orm_statement)


def _on_begin(connection: Connection) -> None:
    connection.info[_BEGAN] = current_notes()
    connection.info.pop(_SESSION, None)


def _on_session_begin(session: Session, transaction: SessionTransaction, connection: Connection) -> None:
    connection.info[_SESSION] = weakref.ref(session), bool(len(session.identity_map))
    session.info[_SESSION] = True


def _on_transaction_end(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is None:
        session.info.pop(_SESSION, None)


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


def reason_for_privacy(given: Iterable[Any]) -> str:
    """Why a call with these arguments may be given what no other may have; empty if nothing tells.

    A session among them, or among the attributes of one (``self.session``), has objects, changes or a snapshot
    from before.
    """
    for each in given:
        for found in (each, *getattr(each, "__dict__", {}).values()):
            if isinstance(found, AsyncSession | async_scoped_session | Session | scoped_session):
                why = _state_of(found)
                if why:
                    return why
    return ""


def _state_of(session: Any) -> str:
    if isinstance(session, scoped_session | async_scoped_session):
        if not session.registry.has():
            return ""
        session = session.registry()
    sync = session.sync_session if isinstance(session, AsyncSession) else session
    if sync.info.get(_SESSION):
        return _OLD_TRANSACTION
    if len(sync.identity_map):
        return _OLD_OBJECTS
    return _CHANGES if sync.new or sync.dirty or sync.deleted else ""


def _look_at_transaction(notes: Notes, connection: Connection, context: Any) -> None:
    began: Notes | None = connection.info.get(_BEGAN)
    part_of = list(began.within()) if began is not None else []
    of, had_objects = connection.info.get(_SESSION, (None, False))
    session = of() if of is not None else None
    for each in notes.within():
        if each not in part_of:
            each.keep_private(_OLD_TRANSACTION)
        if context is not None and (context.isinsert or context.isupdate or context.isdelete):
            each.keep_private("it writes")
        if had_objects:
            each.keep_private(_OLD_OBJECTS)
    if session is not None:
        _look_at(notes, session)


def _look_at(notes: Notes, session: Session) -> None:
    if session.new or session.dirty or session.deleted:
        for each in notes.within():
            each.keep_private(_CHANGES)
