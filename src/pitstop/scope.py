"""The scope of one request or operation: who asked, and what each room saw meanwhile.

The first room (or middleware) that needs one opens it; whoever comes later joins. It travels in a
context variable, so tasks started inside belong to it and other requests do not.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass
from typing import Any, Literal

from pitstop.events import emit

__all__ = ["Handler", "Kind", "Scope", "ScopeEnded", "current_scope", "open_scope", "set_process_scope"]

Kind = Literal["request", "operation", "process"]

_current: ContextVar["Scope | None"] = ContextVar("pitstop_scope", default=None)
_process: "Scope | None" = None


class Scope:
    """One request or operation.

    Attributes:
        kind: ``"request"``, ``"operation"`` or ``"process"`` (a script as a whole).
        name: the route template or the operation's name; may be set until the scope ends.
        started: ``time.perf_counter()`` at the start, seconds.
        parts: what each room recorded, by the room's own record type.
        status: HTTP status, or None outside HTTP.
        failed: whether the work raised.
    """

    __slots__ = ("_token", "failed", "kind", "name", "parts", "started", "status")

    def __init__(self, name: str, *, kind: Kind = "operation") -> None:
        self.kind: Kind = kind
        self.name = name
        self.started = time.perf_counter()
        self.parts: dict[type, Any] = {}
        self.status: int | None = None
        self.failed = False
        self._token: Token[Scope | None] | None = None

    def __repr__(self) -> str:
        return f"<Scope {self.kind} {self.name!r}>"

    def current_name(self) -> str:
        """The name as far as it is known now: a request gets the name of its route when it ends."""
        return self.name

    def enter(self) -> "Scope":
        """Make this the current scope of the context."""
        self._token = _current.set(self)
        return self

    def leave(self) -> None:
        """Give the context back to the scope before and emit ``ScopeEnded``."""
        wall_ms = (time.perf_counter() - self.started) * 1000.0
        if self._token is not None:
            try:
                _current.reset(self._token)
            except ValueError:  # closed in another context (a generator finalised elsewhere)
                _current.set(None)
            self._token = None
        emit(ScopeEnded(self, wall_ms))


@dataclass(frozen=True, slots=True)
class Handler:
    """What answers the requests of a route; in ``scope.parts`` of its first request.

    Attributes:
        modules: names of the modules of the endpoint and of what it depends on.
        response_model: the annotation that the answer is filtered by.
    """

    modules: tuple[str, ...]
    response_model: object


@dataclass(frozen=True, slots=True)
class ScopeEnded:
    """One request or operation has ended; ``scope.parts`` holds what each room saw in it."""

    scope: Scope
    wall_ms: float


def current_scope() -> Scope | None:
    """The scope this code runs in: a request, an operation, the process as a whole, or None."""
    scope = _current.get()
    return _process if scope is None else scope


def set_process_scope(scope: Scope | None) -> None:
    """What runs in no request or operation, in whatever thread, belongs to this scope from now on.

    It is not a context variable because threads do not inherit those.
    """
    global _process
    _process = scope


@contextmanager
def open_scope(name: str, *, kind: Kind = "operation") -> Iterator[Scope]:
    """Run a block as one request or operation of its own.

    Args:
        name: what the block does, e.g. ``"import prices"``.
        kind: ``"operation"`` for any piece of work; the middleware uses ``"request"``.
    """
    scope = Scope(name, kind=kind).enter()
    try:
        yield scope
    except BaseException:
        scope.failed = True
        raise
    finally:
        scope.leave()
