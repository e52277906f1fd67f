"""What a pool tells of itself: its status, its events, and who holds its connections."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from pitstop.events import emit
from pitstop.location import Location
from pitstop.scope import Scope

__all__ = ["EventKind", "Figures", "Holder", "PoolEvent", "PoolStatus"]

EventKind = Literal["opened", "closed", "waited", "exhausted", "bounded"]

_KEPT_EVENTS = 100


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a connection.

    Attributes:
        location: the line of the application that took it, or None when there is none on the stack.
        work: the request or operation it was taken for, or None.
        held_s: for how long it has it, seconds.
    """

    location: Location | None
    work: str | None
    held_s: float


@dataclass(frozen=True, slots=True)
class PoolEvent:
    """One thing that happened in a pool; also emitted on ``pitstop.events``.

    Attributes:
        pool: its name.
        kind: ``"opened"`` and ``"closed"``: a connection; ``"waited"``: somebody had to and got one;
            ``"exhausted"``: somebody got none; ``"bounded"``: the server leaves less than was asked for.
        at: Unix time, seconds.
        checked_out: connections in use at that time.
        waiting: how many waited then.
        wait_ms: how long this one did.
    """

    pool: str
    kind: EventKind
    at: float
    checked_out: int
    waiting: int
    wait_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """A pool at one moment.

    Attributes:
        name: of the pool.
        size: connections that stay open.
        limit: connections at the most, overflow included; 1 until the first one told what the server has.
        checked_in: idle connections.
        checked_out: connections in use.
        overflow: open connections above ``size``.
        waiting: how many wait for one now.
        waits: how many had to wait so far.
        exhausted: how many of them got none.
        wait_ms: time waited so far, by all of them.
        max_wait_ms: the longest wait.
        pooler: whether a connection pooler stands in between; None before the first connection.
        holders: who has the connections, longest first.
        events: the last hundred, oldest first.
    """

    name: str
    size: int
    limit: int
    checked_in: int
    checked_out: int
    overflow: int
    waiting: int
    waits: int
    exhausted: int
    wait_ms: float
    max_wait_ms: float
    pooler: bool | None
    holders: tuple[Holder, ...]
    events: tuple[PoolEvent, ...]


@dataclass(slots=True)
class Checkout:
    """A connection that somebody has; what is told of it is read when it is asked for."""

    location: Location | None
    scope: Scope | None
    started: float

    def holder(self, now: float) -> Holder:
        """As it is told."""
        work = self.scope.current_name() if self.scope is not None else None
        return Holder(self.location, work, now - self.started)


@dataclass(slots=True)
class Figures:
    """What was counted; there is no lock, so at worst a wait is not counted.

    Attributes:
        pool: gives the pool that is counted now, or None; another one follows it after ``dispose``.
    """

    name: str
    pool: Callable[[], Any] = lambda: None
    waits: int = 0
    exhausted: int = 0
    wait_ms: float = 0.0
    max_wait_ms: float = 0.0
    returns: int = 0
    held_s: float = 0.0
    held_by: str = ""
    events: deque[PoolEvent] = field(default_factory=lambda: deque(maxlen=_KEPT_EVENTS))

    def note(self, kind: EventKind, *, checked_out: int, waiting: int, wait_ms: float = 0.0) -> None:
        """Keep an event and tell it."""
        event = PoolEvent(self.name, kind, time.time(), checked_out, waiting, wait_ms)
        self.events.append(event)
        emit(event)

    def waited(self, wait_ms: float, *, granted: bool) -> None:
        """Count a wait."""
        self.waits += 1
        self.exhausted += not granted
        self.wait_ms += wait_ms
        self.max_wait_ms = max(self.max_wait_ms, wait_ms)

    def returned(self, held_s: float) -> None:
        """Count a connection that came back."""
        self.returns += 1
        self.held_s += held_s

    def mean_held_s(self) -> float:
        """How long a connection was held on average so far."""
        return self.held_s / self.returns if self.returns else 0.0
