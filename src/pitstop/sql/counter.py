"""``count_queries``: how many statements a block executes, which, from where, and the N+1 in them."""

from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeAlias

from sqlalchemy import Connection, Engine, event
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_scoped_session
from sqlalchemy.orm import Session, scoped_session

from pitstop.errors import SettingsError
from pitstop.sql import hooks
from pitstop.sql.recording import Collector, Matches, Observation
from pitstop.sql.records import NPlusOne, Statement, StatementGroup
from pitstop.sql.requests import number_requests
from pitstop.sql.slow import log_slow
from pitstop.sql.trace import Trace

__all__ = ["Observer", "Queries", "Target", "count_queries", "observe"]

Target: TypeAlias = Engine | AsyncEngine | Session | AsyncSession
_KEEP = 100_000


class Queries:
    """The statements of one block; filled while the block runs, readable during and after it.

    Use it through :func:`count_queries`.
    """

    def __init__(self, target: object, *, everywhere: bool, threshold: int, allow: tuple[str, ...]) -> None:
        self._begin = partial(Trace, threshold=threshold, allow=allow, keep=_KEEP)
        self._trace = self._begin()
        self._watch = _Watch(target)
        self._collector = Collector(self._trace, self._watch.matches, everywhere=everywhere)

    def __enter__(self) -> Self:
        hooks.install()
        number_requests()
        self._watch.open()
        self._collector.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._collector.close()
        self._watch.close()

    @property
    def count(self) -> int:
        """Cursor executions: an ``executemany`` is one; BEGIN, COMMIT and pre-ping are none."""
        return self._trace.count

    @property
    def total_ms(self) -> float:
        """Time spent in the driver's ``execute``, milliseconds."""
        return self._trace.total_ms

    @property
    def statements(self) -> list[Statement]:
        """The statements in order; the first 100,000 are kept."""
        return list(self._trace.statements)

    @property
    def n_plus_one(self) -> list[NPlusOne]:
        """The N+1 found, most statements first; empty when there is none."""
        return self._trace.n_plus_one

    @property
    def forbidden(self) -> list[NPlusOne]:
        """What async code tried to load lazily and SQLAlchemy refused (``MissingGreenlet``), with cures."""
        return self._trace.forbidden

    def reset(self) -> None:
        """Forget what was counted so far, and count on: for what a test arranges within the block."""
        self._trace = self._collector.trace = self._begin()

    def groups(self) -> list[StatementGroup]:
        """The statements folded by fingerprint and line, most time first."""
        return self._trace.groups()

    def __repr__(self) -> str:
        return f"<Queries count={self.count} total_ms={self.total_ms:.1f}>"


def count_queries(
    target: object = None,
    *,
    everywhere: bool = False,
    threshold: int = 3,
    allow: tuple[str, ...] | list[str] = (),
) -> Queries:
    """Count the statements that a ``with`` block executes.

    A block hears of what runs in its own context: its thread or task, tasks started inside it, threads
    started inside it. Blocks nest; the outer one counts the inner one's statements too.

    Args:
        target: an ``Engine``, ``AsyncEngine``, ``Session`` or ``AsyncSession`` (or a scoped session), or
            None for every engine of the process.
        everywhere: also count what other threads and tasks execute on the target meanwhile, as when a
            server runs in a thread of the test.
        threshold: distinct values from which a repeated hand-written statement is an N+1.
        allow: patterns (``Parent.relationship`` or file, as for ``fnmatch``) whose N+1 are silent.

    Raises:
        SettingsError: the target is something else.
    """
    return Queries(target, everywhere=everywhere, threshold=threshold, allow=tuple(allow))


class Observer:
    """A running observation; :meth:`close` ends it."""

    def __init__(
        self, observation: Observation, watch: "_Watch", end_log: Callable[[], None] | None = None
    ) -> None:
        self._observation = observation
        self._watch = watch
        self._end_log = end_log

    def close(self) -> None:
        """Stop observing; twice is harmless."""
        if self._end_log is not None:
            self._end_log()
        self._observation.close()
        self._watch.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def observe(
    target: object = None,
    *,
    threshold: int = 3,
    allow: tuple[str, ...] | list[str] = (),
    slow_ms: float | None = None,
) -> Observer:
    """Observe an engine from now on: what runs inside a scope (request or operation) is added to the
    scope's :class:`pitstop.sql.Trace` in ``scope.parts``.

    Args:
        target, threshold, allow: as for :func:`count_queries`.
        slow_ms: log each statement that takes so long, in milliseconds, by the logger ``pitstop.slow``;
            None for no log. It is one log for the process: of several observers the lowest limit holds.

    Returns:
        a handle whose ``close()`` ends the observation.
    """
    hooks.install()
    watch = _Watch(target)
    watch.open()
    observation = Observation(watch.matches, threshold=threshold, allow=tuple(allow))
    observation.open()
    return Observer(observation, watch, log_slow(slow_ms) if slow_ms is not None else None)


class _Watch:
    """Tells which connections belong to a target: all, an engine's, or those a session holds."""

    def __init__(self, target: object) -> None:
        self._session: Session | None = None
        self._connections: list[Any] = []
        self.matches: Matches = _any
        if isinstance(target, (scoped_session, async_scoped_session)):
            target = target()
        if isinstance(target, (AsyncEngine, AsyncSession)):
            target = target.sync_engine if isinstance(target, AsyncEngine) else target.sync_session
        if isinstance(target, Engine):
            # engines made by execution_options() share the dialect, and it outlives dispose()
            dialect = target.dialect
            self.matches = lambda connection: connection.dialect is dialect
        elif isinstance(target, Session):
            self._session = target
            self.matches = lambda connection: any(each is connection for each in self._connections)
        elif target is not None:
            raise SettingsError(
                "count_queries() and observe() take an Engine, AsyncEngine, Session or AsyncSession, "
                f"not {type(target).__name__}"
            )

    def open(self) -> None:
        if self._session is not None:
            self._connections = _connections_of(self._session)
            event.listen(self._session, "after_begin", self._after_begin)

    def close(self) -> None:
        if self._session is not None and event.contains(self._session, "after_begin", self._after_begin):
            event.remove(self._session, "after_begin", self._after_begin)
            self._connections = []

    def _after_begin(self, session: Session, transaction: Any, connection: Connection) -> None:
        self._connections.append(connection)


def _any(connection: Any) -> bool:
    return True


def _connections_of(session: Session) -> list[Any]:
    """The connections that a session holds already. Private: ``SessionTransaction._connections``."""
    transaction = session.get_transaction()
    held = getattr(transaction, "_connections", None) or {}
    return [entry[0] for entry in held.values()]
