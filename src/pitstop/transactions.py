"""Taking part in a commit: hooks around COMMIT that know what the session wrote.

``events`` tells what happened; a participant here acts while it happens: it may block, and it may
refuse a commit by raising in ``before_commit``. SQLAlchemy's own commit event of a connection fires
before the driver's COMMIT and knows nothing of objects; the session's events, used here, bracket it.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Connection, event, inspect
from sqlalchemy.orm import ORMExecuteState, Session, SessionTransaction, sessionmaker

__all__ = ["Changes", "Participant", "join", "note_tables"]

log = logging.getLogger("pitstop.transactions")

_KEY = "pitstop.transactions"
UNKNOWN_TABLE = "*"
UNKNOWN: Any = object()


@dataclass(frozen=True, slots=True)
class Changes:
    """What one transaction wrote.

    Attributes:
        new, dirty, deleted: the objects that were flushed, each once; an object that was new and then
            changed is in ``new``.
        tables: names of the tables that bulk statements wrote; ``"*"`` stands for a textual statement,
            whose tables are not known.
        notes: what the participant's ``note`` said of the objects.
    """

    new: tuple[Any, ...] = ()
    dirty: tuple[Any, ...] = ()
    deleted: tuple[Any, ...] = ()
    tables: frozenset[str] = frozenset()
    notes: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.new or self.dirty or self.deleted or self.tables)


class Participant(Protocol):
    """What takes part. Called once per transaction that wrote something, savepoints not counted apart; each
    time with the same ``changes``.

    A participant may also have ``note(kind, instance, before)``: called at each flush for each written
    object, ``kind`` being ``"new"``, ``"dirty"`` or ``"deleted"`` and ``before`` the values that a dirty one
    had before (``UNKNOWN`` where it was not loaded); the strings that it returns are collected in
    ``Changes.notes``.
    """

    def before_commit(self, connection: Connection, changes: Changes) -> None:
        """Everything is flushed, COMMIT comes next. To raise rolls the transaction back."""

    def after_commit(self, changes: Changes) -> None:
        """COMMIT was acknowledged. What this raises is logged: the transaction cannot be undone."""

    def after_rollback(self, changes: Changes) -> None:
        """The transaction was rolled back; ``changes`` is what it would have written."""


def join(participant: Participant, session: Any = Session) -> Callable[[], None]:
    """Let a participant take part in the commits of sessions.

    Args:
        participant: called around each COMMIT of a transaction that wrote something.
        session: a ``Session``, a ``sessionmaker``, or the class for every session of the process. Of an
            ``AsyncSession`` give ``sync_session``.

    Returns:
        a function that ends it.
    """
    listener = _Listener(participant, session)
    hooks = listener.hooks()
    for name, hook in hooks:
        event.listen(session, name, hook)
    _listeners.append(listener)

    def leave() -> None:
        if listener in _listeners:
            _listeners.remove(listener)
        for name, hook in hooks:
            if event.contains(session, name, hook):
                event.remove(session, name, hook)

    return leave


def note_tables(session: Session, tables: Iterable[str]) -> None:
    """Tell the participants of tables that a session's transaction writes, where no object says so.

    For who watches the statements themselves: association tables, a connection used past its session, what
    the database changes by itself.

    Args:
        session: whose transaction it is.
        tables: full names; ``"*"`` for a statement whose tables are not known.
    """
    names = list(tables)
    for listener in list(_listeners):
        if names and listener.hears(session):
            listener.ledger(session).add(session, "tables", names)


class _Ledger:
    """What one session has flushed in its transaction, with the savepoints each entry stands under."""

    def __init__(self) -> None:
        self.entries: list[tuple[tuple[SessionTransaction, ...], str, Any]] = []
        self.sealed: Changes | None = None

    def add(self, session: Session, kind: str, things: Iterable[Any]) -> None:
        savepoints = _savepoints(session)
        self.entries += [(savepoints, kind, thing) for thing in things]

    def drop(self, savepoint: SessionTransaction) -> None:
        self.entries = [entry for entry in self.entries if savepoint not in entry[0]]

    def seal(self) -> Changes:
        """What was written, now that nothing more will be."""
        if self.sealed is None:
            self.sealed = self.changes()
        return self.sealed

    def changes(self) -> Changes:
        found: dict[str, dict[Any, Any]] = {"new": {}, "dirty": {}, "deleted": {}, "tables": {}, "notes": {}}
        for _, kind, thing in self.entries:
            key = thing if kind in ("tables", "notes") else id(thing)
            if kind == "dirty" and key in found["new"]:
                continue
            found[kind][key] = thing
        return Changes(
            tuple(found["new"].values()),
            tuple(found["dirty"].values()),
            tuple(found["deleted"].values()),
            frozenset(found["tables"]),
            frozenset(found["notes"]),
        )


def _before(instance: Any) -> dict[str, Any]:
    """The column values that a flush is changing, as they were; ``UNKNOWN`` where they were not loaded."""
    state = inspect(instance)
    histories = ((each.key, state.attrs[each.key].history) for each in state.mapper.column_attrs)
    changed = ((key, history.deleted) for key, history in histories if history.added or history.deleted)
    return {key: deleted[0] if deleted else UNKNOWN for key, deleted in changed}


def _savepoints(session: Session) -> tuple[SessionTransaction, ...]:
    found: list[SessionTransaction] = []
    transaction = session.get_nested_transaction()
    while transaction is not None:
        if transaction.nested:
            found.append(transaction)
        transaction = transaction.parent
    return tuple(found)


class _Listener:
    """The session's events for one participant; one ledger for each session while it has a transaction."""

    def __init__(self, participant: Participant, target: Any) -> None:
        self.participant = participant
        self.target = target
        self.key = (_KEY, id(self))

    def hears(self, session: Session) -> bool:
        target = self.target.class_ if isinstance(self.target, sessionmaker) else self.target
        return isinstance(session, target) if isinstance(target, type) else session is target

    def hooks(self) -> list[tuple[str, Callable[..., None]]]:
        return [
            ("after_flush", self.after_flush),
            ("do_orm_execute", self.do_orm_execute),
            ("before_commit", self.before_commit),
            ("after_commit", self.after_commit),
            ("after_soft_rollback", self.after_soft_rollback),
        ]

    def ledger(self, session: Session) -> _Ledger:
        ledger = session.info.get(self.key)
        if ledger is None:
            ledger = session.info[self.key] = _Ledger()
        assert isinstance(ledger, _Ledger)
        return ledger

    def after_flush(self, session: Session, context: Any) -> None:
        ledger = self.ledger(session)
        written = {
            "new": list(session.new),
            "dirty": [each for each in session.dirty if session.is_modified(each)],
            "deleted": list(session.deleted),
        }
        note = getattr(self.participant, "note", None)
        for kind, instances in written.items():
            ledger.add(session, kind, instances)
            if note is not None:
                for each in instances:
                    ledger.add(session, "notes", note(kind, each, _before(each) if kind == "dirty" else {}))

    def do_orm_execute(self, state: ORMExecuteState) -> None:
        if not state.is_select:
            names = _tables_written(state)
            if names:
                self.ledger(state.session).add(state.session, "tables", names)

    def before_commit(self, session: Session) -> None:
        if session.in_nested_transaction():
            return
        session.flush()
        ledger = session.info.get(self.key)
        changes = ledger.seal() if ledger is not None else None
        if changes:
            self.participant.before_commit(session.connection(), changes)

    def after_commit(self, session: Session) -> None:
        if session.in_nested_transaction():
            return
        ledger = session.info.pop(self.key, None)
        changes = ledger.seal() if ledger is not None else None
        if changes:
            try:
                self.participant.after_commit(changes)
            except Exception:
                log.exception("%r failed after a commit", self.participant)

    def after_soft_rollback(self, session: Session, previous: SessionTransaction) -> None:
        ledger = session.info.get(self.key)
        if ledger is None:
            return
        if previous.nested:
            ledger.drop(previous)
        elif previous.parent is None:
            changes = session.info.pop(self.key).seal()
            if changes:
                self.participant.after_rollback(changes)


def _tables_written(state: ORMExecuteState) -> list[str]:
    if state.is_insert or state.is_update or state.is_delete:
        table = getattr(state.statement, "table", None)
        return [getattr(table, "fullname", UNKNOWN_TABLE)]
    if state.is_from_statement:
        return []
    verb = str(getattr(state.statement, "text", "")).lstrip(" (\n\t").split(None, 1)[:1]
    reading = verb and verb[0].lower() in ("select", "values", "show", "table", "explain")
    return [] if reading or not verb else [UNKNOWN_TABLE]


_listeners: list[_Listener] = []
