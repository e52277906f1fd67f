"""Taking part in a commit: hooks around COMMIT that know what the session wrote.

``events`` tells what happened; a participant here acts while it happens: it may block, and it may
refuse a commit by raising in ``before_commit``. SQLAlchemy's own commit event of a connection fires
before the driver's COMMIT and knows nothing of objects; the session's events, used here, bracket it. For a
connection without a session it has to do: what comes next on that connection tells that COMMIT is over.
"""

import logging
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from sqlalchemy import (
    ClauseElement,
    Connection,
    Delete,
    Engine,
    ExceptionContext,
    Insert,
    Pool,
    Table,
    event,
    inspect,
)
from sqlalchemy.orm import Mapper, Session, SessionTransaction, object_mapper, object_session

from pitstop.tables import tables_written

__all__ = ["Changes", "Participant", "join", "tables_written"]

log = logging.getLogger("pitstop.transactions")

_KEY = "pitstop.transactions"
UNKNOWN: Any = object()


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
        return bool(self.new or self.dirty or self.deleted or self.tables or self.notes)


class Participant(Protocol):
    """What takes part. Called once per transaction that wrote something, savepoints not counted apart; each
    time with the same ``changes``.

    Once more, with ``changes`` of their own, for each further database that a session wrote to, and for what
    others wrote during its commit.

    A participant may also have ``note(kind, instance, before)``: called at each flush for each written
    object. ``kind`` is ``"new"``, ``"dirty"`` or ``"deleted"``, and ``before`` are the values that changed
    attributes had before, those of a deleted object too (``UNKNOWN`` where they were not loaded). The
    strings that it returns are collected in ``Changes.notes``.

    And ``link(session, table, rows)``: called after a flush for each statement in it that inserted or deleted
    rows of an association table, with its parameters, by column; its strings are collected as well. Without
    it that table is one of ``Changes.tables``.
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
        session: a ``Session``, a ``sessionmaker``, or the class for every session of the process, and every
            connection that is used without one. Of an ``AsyncSession`` give ``sync_session``.

    Returns:
        a function that ends it.
    """
    listener = _Listener(participant)
    hooks: list[tuple[Any, str, Callable[..., None]]] = [(session, *each) for each in listener.hooks()]
    hooks += listener.engine_hooks()
    if session is Session:
        hooks += _Connections(participant, key=listener.key).hooks()
    for target, name, hook in hooks:
        event.listen(target, name, hook)

    def leave() -> None:
        for target, name, hook in hooks:
            if event.contains(target, name, hook):
                event.remove(target, name, hook)

    return leave


class _Ledger:
    """What one session has flushed in its transaction, with the savepoints each entry stands under.

    Attributes:
        entries: what the participant was not told yet.
        connections: those that it wrote on.
        told: what the participant was told before the commit.
        telling: whether it is being told: what it executes is its own.
        links: the association tables that the flush under way has written, with the rows.
        computed: the objects whose values the database computes in the flush under way, as they were.
    """

    def __init__(self) -> None:
        self.entries: list[tuple[tuple[SessionTransaction, ...], str, Any]] = []
        self.connections: list[Connection] = []
        self.told: list[Changes] = []
        self.telling = False
        self.flushing = False
        self.links: list[tuple[str, list[dict[str, Any]]]] = []
        self.computed: dict[Any, dict[str, Any]] = {}

    def add(self, session: Session, kind: str, things: Iterable[Any]) -> None:
        savepoints = _savepoints(session)
        self.entries += [(savepoints, kind, thing) for thing in things]

    def drop(self, savepoint: SessionTransaction) -> None:
        self.entries = [entry for entry in self.entries if savepoint not in entry[0]]

    def tell(self, participant: Participant, connections: Iterable[Connection]) -> None:
        """Tell the participant what it does not know yet, once for each connection."""
        changes, self.entries = self.changes(), []
        self.telling = True
        try:
            for connection in connections if changes else ():
                self.told.append(replace(changes))
                participant.before_commit(connection, self.told[-1])
        finally:
            self.telling = False

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


def _is_computed(instance: Any) -> bool:
    """Whether an attribute was set to an expression of SQL, which a flush leaves no history of."""
    state = inspect(instance)
    values = (state.dict.get(key) for key in state.committed_state)
    return any(isinstance(each, ClauseElement) or hasattr(each, "__clause_element__") for each in values)


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

    def engine_hooks(self) -> list[tuple[Any, str, Callable[..., None]]]:
        return [
            (Engine, "begin", self.on_begin),
            (Engine, "before_cursor_execute", self.on_statement),
            (Engine, "commit", self.on_commit),
            (Mapper, "before_update", self.before_update),
        ]

    def ledger(self, session: Session) -> _Ledger:
        ledger = session.info.get(self.key)
        if ledger is None:
            ledger = session.info[self.key] = _Ledger()
        assert isinstance(ledger, _Ledger)
        return ledger

    def before_flush(self, session: Session, context: Any, instances: Any) -> None:
        ledger = self.ledger(session)
        ledger.flushing = True
        ledger.computed.clear()

    def before_update(self, mapper: Any, connection: Connection, instance: Any) -> None:
        session = object_session(instance)
        ledger = session.info.get(self.key) if session is not None else None
        if ledger is not None and ledger.flushing and _is_computed(instance):
            ledger.computed[inspect(instance)] = _before(instance)

    def after_flush(self, session: Session, context: Any) -> None:
        ledger = self.ledger(session)
        ledger.flushing = False
        computed, ledger.computed = ledger.computed, {}
        written = {
            "new": list(session.new),
            "dirty": [
                each for each in session.dirty if inspect(each) in computed or session.is_modified(each)
            ],
            "deleted": list(session.deleted),
        }
        note = getattr(self.participant, "note", None)
        for kind, instances in written.items():
            ledger.add(session, kind, instances)
            if note is not None:
                for each in instances:
                    before = {} if kind == "new" else computed.get(inspect(each), {}) | _before(each)
                    ledger.add(session, "notes", note(kind, each, before))
        links, ledger.links = ledger.links, []
        for table, rows in links:
            ledger.add(session, "notes", self.participant.link(session, table, rows))  # type: ignore[attr-defined]

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
        names = tables_written(context, statement)
        if names:
            connection.info.setdefault((self.key, "tables"), set()).update(names)
        if session is None or (self.key in session.info and session.info[self.key].telling):
            return
        if names:
            self.note_tables(session, connection, names, context)

    def note_tables(self, session: Session, connection: Connection, names: list[str], context: Any) -> None:
        ledger = self.ledger(session)
        if connection not in ledger.connections:
            ledger.connections.append(connection)
        if _is_of_flush(ledger, context):
            names = _not_noted(names, session)
        elif ledger.flushing and hasattr(self.participant, "link"):
            own = _rows_of(context)
            if own is not None:
                ledger.links.append((own, context.compiled_parameters))
                names = [each for each in names if each != own]
        ledger.add(session, "tables", names)

    def before_commit(self, session: Session) -> None:
        if session.in_nested_transaction():
            return
        session.flush()
        ledger = session.info.get(self.key)
        if ledger is not None and ledger.entries:
            ledger.tell(self.participant, ledger.connections or [session.connection()])

    def on_commit(self, connection: Connection) -> None:
        """COMMIT itself comes next: listeners after ours may have written during the session's commit."""
        of = connection.info.get(self.key)
        session = of() if of is not None else None
        ledger = session.info.get(self.key) if session is not None else None
        if ledger is not None and ledger.told and ledger.entries:
            ledger.tell(self.participant, [connection])

    def after_commit(self, session: Session) -> None:
        if session.in_nested_transaction():
            return
        ledger = session.info.pop(self.key, None)
        for changes in ledger.told if ledger is not None else ():
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
        if ledger is not None:
            for changes in ledger.told or filter(None, [ledger.changes()]):
                self.participant.after_rollback(changes)


class _Connections:
    """The events of connections for one participant, where no session of theirs brackets the COMMIT.

    Args:
        participant: whose.
        key: under which the listener of sessions keeps their ledgers, and notes what a connection wrote.
    """

    def __init__(self, participant: Participant, *, key: tuple[str, int]) -> None:
        self.participant = participant
        self.key = key

    def hooks(self) -> list[tuple[Any, str, Callable[..., None]]]:
        return [
            (Engine, "begin", self.on_begin),
            (Engine, "commit", self.on_commit),
            (Engine, "rollback", self.on_rollback),
            (Engine, "handle_error", self.on_error),
            (Engine, "before_cursor_execute", self.before_statement),
            (Engine, "after_cursor_execute", self.after_statement),
            (Pool, "checkin", self.on_checkin),
        ]

    def before_statement(
        self, connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
    ) -> None:
        """In AUTOCOMMIT each statement is a transaction; what a participant executes meanwhile is none."""
        if _is_autocommit(connection) and (self.key, "committing") not in connection.info:
            tables = tables_written(context, statement)
            if tables:
                self._begin(connection, tables)
                connection.info[(self.key, "statement")] = context

    def after_statement(
        self, connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
    ) -> None:
        if connection.info.get((self.key, "statement"), self) is context:
            connection.info.pop((self.key, "tables"), None)
            self._end(connection.info)

    def on_commit(self, connection: Connection) -> None:
        tables = connection.info.pop((self.key, "tables"), None)
        session = connection.info[self.key]() if self.key in connection.info else None
        if tables and (session is None or self.key not in session.info):
            self._begin(connection, tables)  # else the session's own: it has a ledger until that is over

    def on_rollback(self, connection: Connection) -> None:
        if connection.invalidated:
            return  # what it had noted went to the pool with the loss
        connection.info.pop((self.key, "tables"), None)
        self._end(connection.info, committed=False)

    def on_error(self, context: ExceptionContext) -> None:
        connection = context.connection
        if connection is None or context.is_disconnect or connection.invalidated:
            return  # it will be known to be lost when it is returned
        if context.statement is None or (self.key, "statement") in connection.info:
            self._end(connection.info, committed=False)

    def on_begin(self, connection: Connection) -> None:
        connection.info.pop((self.key, "tables"), None)
        self._end(connection.info)

    def on_checkin(self, driver_connection: Any, record: Any) -> None:
        record.info.pop((self.key, "tables"), None)
        self._end(record.info, committed=driver_connection is not None)

    def _begin(self, connection: Connection, tables: Iterable[str]) -> None:
        changes = Changes(tables=frozenset(tables))
        connection.info[(self.key, "committing")] = changes
        self.participant.before_commit(connection, changes)

    def _end(self, info: Any, *, committed: bool = True) -> None:
        info.pop((self.key, "statement"), None)
        changes = info.pop((self.key, "committing"), None)
        if changes is None:
            return
        try:
            end = self.participant.after_commit if committed else self.participant.after_rollback
            end(changes)
        except Exception:
            log.exception("%r failed after a commit", self.participant)


def _is_autocommit(connection: Connection) -> bool:
    return getattr(connection.connection.dbapi_connection, "autocommit", False) is True


def _is_of_flush(ledger: _Ledger, context: Any) -> bool:
    """A statement that writes flushed objects: those are noted themselves. Bulk methods flush none."""
    return ledger.flushing and "compiled_cache" in context.execution_options


def _rows_of(context: Any) -> str | None:
    """The table of a statement whose parameters are its rows, as those of association tables are."""
    statement = getattr(context.compiled, "statement", None)
    plain = isinstance(statement, Insert | Delete) and isinstance(statement.table, Table)
    return statement.table.fullname if plain else None  # type: ignore[union-attr]


def _not_noted(names: list[str], session: Session) -> list[str]:
    """The tables that no flushed object stands for: of associations, orphans, and what the database does."""
    written = (*session.new, *session.dirty, *session.deleted)
    noted = {
        table.fullname for each in written for table in object_mapper(each).tables if isinstance(table, Table)
    }
    return [each for each in names if each not in noted]
