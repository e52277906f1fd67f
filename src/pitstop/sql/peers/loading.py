"""``peer_loading``: a lazy load of one instance loads for all that came with it."""

import logging
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from types import TracebackType
from typing import Any, Self
from weakref import WeakKeyDictionary

from sqlalchemy import event, inspect
from sqlalchemy.engine import Result
from sqlalchemy.exc import MissingGreenlet, NoInspectionAvailable, StatementError
from sqlalchemy.orm import InstanceState, ORMExecuteState, Session
from sqlalchemy.orm.interfaces import MapperProperty

from pitstop.errors import SettingsError
from pitstop.sql.peers import deferred, inside, related, unexpired
from pitstop.sql.peers.columns import is_expression, may_orphan, together
from pitstop.sql.peers.kept import watch_expiry
from pitstop.sql.peers.ledger import Ledger
from pitstop.sql.peers.listening import Listening
from pitstop.sql.peers.target import PeerTarget, session_target

__all__ = ["PeerLoading", "peer_loading"]

_log = logging.getLogger("pitstop.sql")

State = InstanceState[Any]
_MAX_COLUMN_LOADS = 3  # of the same columns of one result
_Plan = Callable[[], list[Any] | None]


class PeerLoading(Listening):
    """A running peer loading; :meth:`close` ends it. Made by :func:`peer_loading`.

    Args:
        target, only, touch: as there, resolved.
        here: asked at each lazy load whether it is to be for all; None: always.
    """

    def __init__(
        self,
        target: Session | type[Session],
        *,
        only: frozenset[Any] | None = None,
        touch: int = 1,
        here: Callable[[], bool] | None = None,
    ) -> None:
        self._target = target
        self._only = only
        self._touch = touch
        self._here = here
        self._ledgers: WeakKeyDictionary[Session, Ledger] = WeakKeyDictionary()
        self._warned = False
        self._listeners: tuple[tuple[str, Callable[..., Any]], ...] = (
            ("do_orm_execute", self._on_execute),
            ("after_flush", self._on_flush),
            ("after_transaction_end", self._on_transaction_end),
        )
        watch_expiry()
        listener: Callable[..., Any]
        for name, listener in self._listeners:
            event.listen(target, name, listener)

    def close(self) -> None:
        """Stop; twice is harmless. What was loaded and not touched is loaded anew when it is."""
        for name, listener in self._listeners:
            if event.contains(self._target, name, listener):
                event.remove(self._target, name, listener)
        for ledger in list(self._ledgers.values()):
            ledger.writes.unknown()
        self._ledgers = WeakKeyDictionary()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _on_execute(self, execution: ORMExecuteState) -> Result[Any] | None:
        if not execution.is_select:
            self._on_write(execution.session)
            return None
        try:
            state = inside.completed_state(execution)
            plan = None if state is None else self._plan(execution, state)
            flush = None if plan is None else inside.flush_before(execution)
        except Exception as error:  # noqa: BLE001 - whatever another version of SQLAlchemy may raise
            self._warn(error)
            return None
        if plan is None:
            return None
        if flush is not None:
            flush()  # raises what it raises before the ordinary load
        return self._carry_out(plan, execution.session)

    def _plan(self, execution: ORMExecuteState, state: State) -> _Plan | None:
        """How to load for all peers; None leaves the load to SQLAlchemy, which sends its own statement."""
        if not _is_plain(execution, state) or (self._here is not None and not self._here()):
            return None
        if execution.lazy_loaded_from is None:
            return self._columns(execution, state)
        return self._relationship(execution, state)

    def _carry_out(self, plan: _Plan, session: Session) -> Result[Any] | None:
        try:
            found = plan()
            return None if found is None else inside.in_memory(found)
        except (StatementError, MissingGreenlet):  # the ordinary load would fail as well, and say less
            raise
        except Exception as error:  # noqa: BLE001 - whatever another version of SQLAlchemy may raise
            self._warn(error)
            self._ledger(session).give_up()
            return None

    def _relationship(self, execution: ORMExecuteState, state: State) -> _Plan | None:
        prop = inside.lazy_relationship(execution)
        if prop is None or not self._is_wanted(prop):
            return None
        ledger = self._ledger(execution.session)
        group = (ledger.family(state.runid), prop)
        if ledger.sight(group) < self._touch or not ledger.may_load(group):
            return None
        return partial(related.load, execution, state, prop, ledger)

    def _columns(self, execution: ORMExecuteState, state: State) -> _Plan | None:
        if inside.is_user_refresh(execution):
            return None
        asked = inside.attributes_asked(execution)
        names = together(state, asked)
        mapper = state.mapper
        if not names or not all(self._is_wanted(mapper.attrs[name]) for name in names):
            return None
        ledger = self._ledger(execution.session)
        group = (state.runid, mapper, asked)
        times = ledger.sight(group)
        if times < self._touch:
            return None
        if not inside.is_unexpired(state, asked) and not inside.hears_refresh(state):
            return partial(deferred.load, execution, state, names, ledger) if ledger.may_load(group) else None
        # code that commits each time around would have everything loaded again and again
        again = times >= self._touch + _MAX_COLUMN_LOADS
        if again or may_orphan(mapper) or any(is_expression(mapper, name) for name in names):
            return None
        return partial(unexpired.load, execution, state, names, ledger)

    def _is_wanted(self, prop: MapperProperty[Any]) -> bool:
        return self._only is None or prop in self._only

    def _ledger(self, session: Session) -> Ledger:
        ledger = self._ledgers.get(session)
        if ledger is None:
            ledger = self._ledgers[session] = Ledger()
        return ledger

    def _on_write(self, session: Session) -> None:
        ledger = self._ledgers.get(session)
        if ledger is not None:
            ledger.writes.unknown()

    def _on_flush(self, session: Session, context: object) -> None:
        ledger = self._ledgers.get(session)
        if ledger is not None:
            ledger.writes.flushed(session)

    def _on_transaction_end(self, session: Session, transaction: Any) -> None:
        ledger = self._ledgers.get(session)
        if ledger is None:
            return
        if transaction.parent is None or transaction.nested:
            ledger.writes.unknown()
        else:
            ledger.writes.part_ended()

    def _warn(self, error: Exception) -> None:
        """Say once that the ordinary load runs."""
        if not self._warned:
            self._warned = True
            _log.warning(
                "peer loading fell back to ordinary lazy loads (said once): %s: %s",
                type(error).__name__,
                error,
                exc_info=error,
            )


def _is_plain(execution: ORMExecuteState, state: State) -> bool:
    """Whether it is the load of an attribute that the application touched, on a row of a result."""
    return (
        state.key is not None
        and state.identity_token is None
        and state.runid is not None
        and not inside.is_flushing(execution.session)
        and not inside.is_part_of_a_load(execution)
    )


def peer_loading(
    target: PeerTarget, *, relationships: Iterable[Any] | None = None, touch: int = 1
) -> PeerLoading:
    """Let a lazy load of one instance load for all instances that the same query or load brought.

    So 1 + N + N statements become 3 with no other change. The values are those of the ordinary lazy load,
    and are set when they are touched, as there. Switching on twice is harmless.

    Args:
        target: a session (``Session``, ``AsyncSession``), what makes sessions (``sessionmaker``,
            ``async_sessionmaker``, a scoped session), or a class of sessions. An ``async_sessionmaker`` and a
            class of async sessions reach the sessions made from now on.
        relationships: attributes (``Post.comments``, a deferred ``Post.body``) to which it is limited;
            None for all.
        touch: 1 loads for all at the first touch of a row; 2 loads the first row alone and, at the second
            touch, all others; for code that often reads one row only.

    Returns:
        a handle whose ``close()`` ends it; it is a context manager.

    Raises:
        SettingsError: an argument is something else.
    """
    if touch not in (1, 2):
        raise SettingsError(
            f"touch is 1 (the first lazy load is for all) or 2 (the second is), not {touch!r}"
        )
    only = None if relationships is None else frozenset(_properties(relationships))
    return PeerLoading(session_target(target), only=only, touch=touch)


def _properties(attributes: Iterable[Any]) -> Iterator[MapperProperty[Any]]:
    for each in attributes:
        try:
            found = inspect(each).property
        except (NoInspectionAvailable, AttributeError):
            raise SettingsError(
                f"relationships takes attributes such as Post.comments, not {each!r}"
            ) from None
        yield found
