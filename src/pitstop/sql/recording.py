"""Who records what runs here and now: the open ``count_queries`` blocks, and always-on observation."""

import threading
from collections.abc import Callable
from contextvars import ContextVar, Token
from typing import Any

from pitstop.scope import Scope, current_scope
from pitstop.sql import slow
from pitstop.sql.pools import note_pool
from pitstop.sql.records import Seen
from pitstop.sql.trace import Trace

__all__ = ["Collector", "Observation", "is_counting", "is_recording", "tell", "traces_of"]

Matches = Callable[[Any], bool]

_lock = threading.Lock()
_mine: ContextVar[tuple["Collector", ...]] = ContextVar("pitstop_collectors", default=())
_open: tuple["Collector", ...] = ()
_observed: tuple["Observation", ...] = ()


class Collector:
    """One open block. It hears of its own context (tasks started inside inherit it) and of threads that
    were started since and have no block of their own; with ``everywhere`` of the whole process.
    """

    __slots__ = ("_everywhere", "_matches", "_threads_before", "_token", "trace")

    def __init__(self, trace: Trace, matches: Matches, *, everywhere: bool) -> None:
        self.trace = trace
        self._matches = matches
        self._everywhere = everywhere
        self._threads_before: frozenset[threading.Thread] = frozenset()
        self._token: Token[tuple[Collector, ...]] | None = None

    def open(self) -> None:
        """Begin to hear."""
        global _open
        self._threads_before = frozenset(threading.enumerate())
        self._token = _mine.set((*_mine.get(), self))
        with _lock:
            _open = (*_open, self)

    def close(self) -> None:
        """Stop hearing."""
        global _open
        with _lock:
            _open = tuple(each for each in _open if each is not self)
        self._threads_before = frozenset()
        if self._token is not None:
            try:
                _mine.reset(self._token)
            except ValueError:  # closed in another context, as generator fixtures are
                _mine.set(tuple(each for each in _mine.get() if each is not self))
            self._token = None

    def hears(self, mine: tuple["Collector", ...]) -> bool:
        """Whether what runs in this context and thread is for this block."""
        if self in mine or self._everywhere:
            return True
        return not mine and threading.current_thread() not in self._threads_before

    def matches(self, connection: Any) -> bool:
        """Whether a statement on this connection is for this block."""
        return self._matches(connection)


class Observation:
    """Always-on observation of an engine: what runs inside a scope goes to the scope's trace."""

    __slots__ = ("_allow", "_matches", "_threshold")

    def __init__(self, matches: Matches, *, threshold: int, allow: tuple[str, ...]) -> None:
        self._matches = matches
        self._threshold = threshold
        self._allow = allow

    def open(self) -> None:
        """Begin to observe."""
        global _observed
        with _lock:
            _observed = (*_observed, self)

    def close(self) -> None:
        """Stop; twice is harmless."""
        global _observed
        with _lock:
            _observed = tuple(each for each in _observed if each is not self)

    def trace(self, scope: Scope, connection: Any) -> Trace | None:
        """The trace of a scope, if the connection is observed."""
        if not self._matches(connection):
            return None
        note_pool(connection)
        trace: Trace | None = scope.parts.get(Trace)
        if trace is None:
            trace = scope.parts[Trace] = Trace(threshold=self._threshold, allow=self._allow)
        return trace


def tell(traces: list[Trace], seen: Seen) -> None:
    """Hand one execution to the traces that want it, and to the slow statement log."""
    if seen.ms >= slow.limit_ms:
        slow.note(seen)
    for trace in traces:
        trace.add(seen)


def is_recording() -> bool:
    """Whether anybody may want what runs in this process; cheap, and may say yes too often."""
    return bool(_open or _observed)


def is_counting() -> bool:
    """Whether a block is open, which may hear several requests; an observed scope is one."""
    return bool(_open)


def traces_of(connection: Any) -> list[Trace]:
    """The traces that want a statement executed here and now on this connection."""
    traces: list[Trace] = []
    if _open:
        mine = _mine.get()
        traces = [each.trace for each in _open if each.hears(mine) and each.matches(connection)]
    if _observed:
        scope = current_scope()
        if scope is not None:
            for observation in _observed:
                trace = observation.trace(scope, connection)
                if trace is not None:
                    traces.append(trace)
                    break
    return traces
