"""Places in the line, of a thread and of an asyncio task."""

import asyncio
import threading
from contextlib import suppress
from typing import Any

from sqlalchemy.util import await_only

__all__ = ["TaskTicket", "ThreadTicket"]


class ThreadTicket:
    """The place of a thread, which blocks."""

    __slots__ = ("_granted", "entry")

    def __init__(self) -> None:
        self.entry: Any = None
        self._granted = threading.Event()

    def grant(self, entry: Any) -> None:
        """Let the thread go on."""
        self.entry = entry
        self._granted.set()

    def wait(self, timeout_s: float) -> bool:
        """Whether it was granted within so many seconds."""
        return self._granted.wait(timeout_s)


class TaskTicket:
    """The place of a task: it awaits, from within SQLAlchemy's greenlet."""

    __slots__ = ("_loop", "_over", "entry")

    def __init__(self) -> None:
        self.entry: Any = None
        self._loop = asyncio.get_running_loop()
        self._over = self._loop.create_future()

    def grant(self, entry: Any) -> None:
        """Let the task go on."""
        self.entry = entry
        if asyncio._get_running_loop() is self._loop:
            self._end()
        else:
            with suppress(RuntimeError):  # its loop is closed; whoever drops the ticket leaves the line
                self._loop.call_soon_threadsafe(self._end)

    def wait(self, timeout_s: float) -> bool:
        """Whether it was granted within so many seconds."""
        timer = self._loop.call_later(timeout_s, self._end)
        try:
            await_only(self._over)
        finally:
            timer.cancel()
        return self.entry is not None

    def _end(self) -> None:
        if not self._over.done():
            self._over.set_result(None)
