"""The line in front of a pool: who waits, what is free, and who gets it: the one who waits longest.

SQLAlchemy's queue lets whoever comes by take what was given back before those whom it woke get there:
threads that ask often starve those that ask seldom, which then time out. Here a connection that comes
back is handed to the first in the line, and so is the right to open one.
"""

import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

__all__ = ["OPEN_ONE", "Line", "Ticket"]

OPEN_ONE: Any = object()  # in place of an entry: the right to open a connection


class Ticket(Protocol):
    """A place in the line."""

    entry: Any

    def grant(self, entry: Any) -> None:
        """Let it go on, with an entry or ``OPEN_ONE``; called in any thread."""


class Line:
    """Hands the entries of a pool to those who wait, first come first served.

    Every method leaves a message and works the messages off, unless somebody is at it, who then finds
    this one too. So nothing blocks, and the garbage collector, which gives connections back at any point
    of any thread, may come in between.

    Args:
        size: how many entries stay idle at the most.
        limit: how many entries there are at the most.

    Attributes:
        size: as given.
        limit: as given.
        count: entries that are there or being opened.
    """

    def __init__(self, *, size: int, limit: int) -> None:
        self.size = size
        self.limit = limit
        self.count = 0
        self._idle: deque[Any] = deque()
        self._tickets: deque[Ticket] = deque()
        self._surplus: deque[Any] = deque()
        self._messages: deque[tuple[Callable[[Any], None], Any]] = deque()
        self._lock = threading.Lock()

    @property
    def idle(self) -> int:
        """Entries that nobody has."""
        return len(self._idle)

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._tickets)

    def join(self, ticket: Ticket) -> None:
        """Queue up; the ticket may be granted before this returns."""
        self._tell(self._tickets.append, ticket)

    def leave(self, ticket: Ticket) -> list[Any]:
        """Give up waiting; what was granted meanwhile goes to the next. Gives what is to be closed."""
        return self._tell(self._on_leave, ticket)

    def give_back(self, entry: Any) -> list[Any]:
        """Hand on an entry. Gives what is to be closed, and told with :meth:`lost` afterwards."""
        return self._tell(self._on_back, entry)

    def lost(self) -> None:
        """An entry was closed, or could not be opened."""
        self._tell(self._on_lost, None)

    def resize(self, *, size: int, limit: int) -> None:
        """Set the bounds; entries above them go when they are given back."""
        self._tell(self._on_resize, (size, limit))

    def drain(self) -> list[Any]:
        """Take all that is idle out, to close it; it does not count any more."""
        with self._lock:
            entries = list(self._idle)
            self._idle.clear()
            self.count -= len(entries)
        self._work()
        return entries

    def _tell(self, handle: Callable[[Any], None], what: Any) -> list[Any]:
        self._messages.append((handle, what))
        return self._work()

    def _work(self) -> list[Any]:
        surplus: list[Any] = []
        while self._messages and self._lock.acquire(blocking=False):
            try:
                while self._messages:
                    handle, what = self._messages.popleft()
                    handle(what)
                    self._serve()
                while self._surplus:
                    surplus.append(self._surplus.popleft())
            finally:
                self._lock.release()
        return surplus

    def _serve(self) -> None:
        while self._tickets and (self._idle or self.count < self.limit):
            ticket = self._tickets.popleft()
            if self._idle:
                ticket.grant(self._idle.pop())  # the warmest: its server process has caches
            else:
                self.count += 1
                ticket.grant(OPEN_ONE)

    def _on_leave(self, ticket: Ticket) -> None:
        if ticket.entry is None:
            self._tickets.remove(ticket)
        elif ticket.entry is OPEN_ONE:
            self.count -= 1
        else:
            self._on_back(ticket.entry)

    def _on_back(self, entry: Any) -> None:
        keep = self.count <= self.limit and (self._tickets or len(self._idle) < self.size)
        (self._idle if keep else self._surplus).append(entry)

    def _on_lost(self, _: None) -> None:
        self.count -= 1

    def _on_resize(self, bounds: tuple[int, int]) -> None:
        self.size, self.limit = bounds
