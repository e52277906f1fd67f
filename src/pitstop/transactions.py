"""Taking part in a commit: hooks around COMMIT that know what the session wrote.

``events`` tells what happened; a participant here acts while it happens: it may block, and it may
refuse a commit by raising in ``before_commit``. SQLAlchemy's own commit event of a connection fires
before the driver's COMMIT and knows nothing of objects; the session's events, used here, bracket it.
"""

import logging
import re
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, ForeignKeyConstraint, Table, UpdateBase, event, inspect
from sqlalchemy.orm import Session, SessionTransaction, object_mapper
from sqlalchemy.sql.compiler import SQLCompiler

__all__ = ["Changes", "Participant", "join", "tables_written"]

log = logging.getLogger("pitstop.transactions")

_KEY = "pitstop.transactions"
UNKNOWN_TABLE = "*"
_CASCADING = ("CASCADE", "SET NULL", "SET DEFAULT")
UNKNOWN: Any = object()
_FIRST_WORD = re.compile(r"(?:\s|\(|--[^\n]*\n|/\*.*?\*/)*(\w+)", re.DOTALL)
_READING = frozenset(
    """select values show table explain set reset savepoint release rollback begin start lock fetch declare
    close listen unlisten notify""".split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True)
class Changes:
    """What one transaction wrote.

    Attributes:
        new, dirty, deleted: the objects that were flushed, each once; an object that was new and then
            changed is in ``new``.
        tables: names of the tables that statements without objects wrote, through the session or on its
            connection; ``"*"`` stands for a textual statement, whose tables are not known.
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
    object. ``kind`` is ``"new"``, ``"dirty"`` or ``"deleted"``, and ``before`` are the values that changed
    attributes had before, those of a deleted object too (``UNKNOWN`` where they were not loaded). The
    strings that it returns are collected in ``Changes.notes``.
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
    listener = _Listener(participant)
    hooks = [(session, *each) for each in listener.hooks()]
    hooks += [(Engine, "begin", listener.on_begin), (Engine, "before_cursor_execute", listener.on_statement)]
    for target, name, hook in hooks:
        event.listen(target, name, hook)

    def leave() -> None:
        for target, name, hook in hooks:
            if event.contains(target, name, hook):
                event.remove(target, name, hook)

    return leave


class _Ledger:
    """What one session has flushed in its transaction, with the savepoints each entry stands under."""

    def __init__(self) -> None:
        self.entries: list[tuple[tuple[SessionTransaction, ...], str, Any]] = []
        self.sealed: Changes | None = None
        self.flushing = False

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

    def __init__(self, participant: Participant) -> None:
        self.participant = participant
        self.key = (_KEY, id(self))

    def hooks(self) -> list[tuple[str, Callable[..., None]]]:
        return [
            ("after_begin", self.after_begin),
            ("before_flush", self.before_flush),
            ("after_flush", self.after_flush),
            ("before_commit", self.before_commit),
            ("after_commit", self.after_commit),
            ("after_soft_rollback", self.after_soft_rollback),
            ("after_transaction_end", self.after_transaction_end),
        ]

    def ledger(self, session: Session) -> _Ledger:
        ledger = session.info.get(self.key)
        if ledger is None:
            ledger = session.info[self.key] = _Ledger()
        assert isinstance(ledger, _Ledger)
        return ledger

    def before_flush(self, session: Session, context: Any, instances: Any) -> None:
        self.ledger(session).flushing = True

    def after_flush(self, session: Session, context: Any) -> None:
        ledger = self.ledger(session)
        ledger.flushing = False
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
                    ledger.add(session, "notes", note(kind, each, {} if kind == "new" else _before(each)))

    def on_begin(self, connection: Connection) -> None:
        connection.info.pop(self.key, None)

    def after_begin(self, session: Session, transaction: SessionTransaction, connection: Connection) -> None:
        connection.info[self.key] = weakref.ref(session)

    def on_statement(
        self, connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
    ) -> None:
        """A statement on the connection of a session, however it was sent."""
        of = connection.info.get(self.key)
        session = of() if of is not None else None
        if session is None:
            return
        names = tables_written(context, statement)
        if names and self.key in session.info and _is_of_flush(session.info[self.key], context):
            names = _not_noted(names, session)
        if names:
            self.ledger(session).add(session, "tables", names)

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
        if ledger is not None:
            ledger.flushing = False
            if previous.nested:
                ledger.drop(previous)

    def after_transaction_end(self, session: Session, transaction: SessionTransaction) -> None:
        """Rolled back, or closed without a word, also after a COMMIT that failed."""
        if transaction.parent is not None:
            return
        ledger = session.info.pop(self.key, None)
        changes = ledger.seal() if ledger is not None else None
        if changes:
            self.participant.after_rollback(changes)


def _is_of_flush(ledger: _Ledger, context: Any) -> bool:
    """A statement that writes flushed objects: those are noted themselves. Bulk methods flush none."""
    return ledger.flushing and "compiled_cache" in context.execution_options


def _not_noted(names: list[str], session: Session) -> list[str]:
    """The tables that no flushed object stands for: of associations, orphans, and what the database does."""
    written = (*session.new, *session.dirty, *session.deleted)
    noted = {
        table.fullname for each in written for table in object_mapper(each).tables if isinstance(table, Table)
    }
    return [each for each in names if each not in noted]


def tables_written(context: Any, statement: str) -> list[str]:
    """The tables that a statement changes, with those that the database changes along (by its cascades).

    Args:
        context: the execution context that SQLAlchemy's cursor events give.
        statement: its text.

    Returns:
        their full names; ``"*"`` for a textual statement that may write; nothing for one that reads.
    """
    compiled = context.compiled if context is not None else None
    if compiled is None or not isinstance(compiled, SQLCompiler) or compiled.isplaintext:
        return [] if _only_reads(statement) else [UNKNOWN_TABLE]
    written = [
        each for each in (compiled.statement, *_common_tables(compiled)) if isinstance(each, UpdateBase)
    ]
    return list(dict.fromkeys(name for each in written for name in _changed_by(each)))


def _changed_by(statement: UpdateBase) -> list[str]:
    table = statement.table
    if not isinstance(table, Table):
        return [UNKNOWN_TABLE]
    if statement.is_insert:
        return [table.fullname]
    return [table.fullname, *_changed_along(table, deleted=statement.is_delete)]


def _changed_along(table: Table, *, deleted: bool) -> list[str]:
    found: dict[str, None] = {}
    pending = [table.fullname]
    while pending:
        parent = pending.pop()
        for child in table.metadata.tables.values():
            if child.fullname not in found and any(
                _follows(each, parent, deleted=deleted) for each in child.foreign_key_constraints
            ):
                found[child.fullname] = None
                pending.append(child.fullname)
    return list(found)


def _follows(constraint: ForeignKeyConstraint, parent: str, *, deleted: bool) -> bool:
    rule = (constraint.ondelete if deleted else constraint.onupdate) or ""
    return rule.upper() in _CASCADING and constraint.referred_table.fullname == parent


def _common_tables(compiled: SQLCompiler) -> list[Any]:
    return [each.element for each in compiled.ctes or ()]


def _only_reads(statement: str) -> bool:
    verb = _FIRST_WORD.match(statement)
    return verb is None or verb[1].lower() in _READING
