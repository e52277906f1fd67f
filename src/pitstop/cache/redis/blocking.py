"""Connections to one server for synchronous code, from any number of threads."""

import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from pitstop.cache.redis.address import Address
from pitstop.cache.redis.backoff import Backoff
from pitstop.cache.redis.handshake import Command
from pitstop.cache.redis.servers import Servers
from pitstop.cache.redis.wire import Wire
from pitstop.errors import RedisUnavailable

__all__ = ["BlockingConnection"]

IDLE_WIRES = 16


class Sent:
    """Commands that are under way: take their replies, or abandon them.

    Args:
        wire: they were sent by; it belongs to this until then.
        count: of the replies.
        deadline: until when to wait for them, by the monotonic clock.
        give_back: takes the wire when all replies have come.
    """

    def __init__(self, wire: Wire, count: int, deadline: float, give_back: Callable[[Wire], None]) -> None:
        self._wire: Wire | None = wire
        self._count = count
        self._deadline = deadline
        self._give_back = give_back

    def replies(self) -> list[Any]:
        """Wait for the replies.

        Raises:
            RedisUnavailable: the server is lost, or does not answer in time.
        """
        wire = self._wire
        assert wire is not None
        replies = wire.replies(self._count, max(0.0, self._deadline - time.monotonic()))
        self._wire = None
        self._give_back(wire)
        return replies

    def abandon(self) -> None:
        """Give up replies that were not taken, and with them the wire."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None


class BlockingConnection:
    """A small pool of wires: each call has one to itself. Usable by all threads, and after a fork.

    Args:
        address: where the server is.
        connect_seconds: to wait for a connection and its greeting.
        servers: which are trusted.
    """

    def __init__(
        self, address: Address, *, connect_seconds: float = 1.0, servers: Servers | None = None
    ) -> None:
        self.address = address
        self._servers = servers or Servers()
        self._connect_seconds = connect_seconds
        self._idle: deque[Wire] = deque()  # the latest used is taken first
        self._backoff = Backoff()
        self._process = os.getpid()

    def run(self, commands: Sequence[Command], *, seconds: float) -> list[Any]:
        """Send commands and wait for their replies, in order.

        Args:
            commands: what to send.
            seconds: to wait for the replies, and for the connection if a new one is needed.

        Raises:
            RedisUnavailable: the server cannot be reached, is lost meanwhile, or does not answer in time.
                After a failure to connect it is raised at once for a short while.
        """
        return self.send(commands, seconds=seconds).replies()

    def send(self, commands: Sequence[Command], *, seconds: float) -> "Sent":
        """The first half of :meth:`run`: several servers can be asked before the first is waited for."""
        if self._process != os.getpid():
            self.reset_after_fork()
        deadline = time.monotonic() + seconds
        wire = self._take(seconds)
        wire.send(*commands)
        return Sent(wire, len(commands), deadline, self._give_back)

    def retry(self) -> None:
        """The server answers somebody else: connect at the next call, whatever failed before."""
        self._backoff.succeeded()

    def close(self) -> None:
        """Close the connections that are idle. The next call opens a new one."""
        while self._idle:
            self._idle.pop().close()

    def reset_after_fork(self) -> None:
        """In a child process: let go of the connections, which are the parent's."""
        self._process = os.getpid()
        self._backoff = Backoff()
        self.close()

    def _give_back(self, wire: Wire) -> None:
        if len(self._idle) < IDLE_WIRES:
            self._idle.append(wire)
        else:
            wire.close()

    def _take(self, seconds: float) -> Wire:
        try:
            while True:
                wire = self._idle.pop()
                if wire.alive():
                    return wire
                wire.close()
        except IndexError:
            return self._open(seconds)

    def _open(self, seconds: float) -> Wire:
        self._backoff.check()
        try:
            wire = Wire(self.address, connect_seconds=min(seconds, self._connect_seconds))
            questions = self._servers.questions
            if questions:
                self._servers.admit(self.address, wire.blocking(questions, self._connect_seconds))
        except RedisUnavailable as error:
            self._backoff.failed(error)
            raise
        self._backoff.succeeded()
        return wire
