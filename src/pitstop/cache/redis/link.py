"""One asyncio connection to Redis: batches go out together, replies come back in order.

This is the hot path of the whole cache: one future for a batch, one timer for all of them, and one write
for all batches of a turn of the loop, but for the one that finds nothing under way: it leaves at once.
"""

import asyncio
import os
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, cast

import msgspec
from hiredis import ProtocolError, PushNotification, Reader

from pitstop.cache.redis.address import Address
from pitstop.cache.redis.answer import Answer
from pitstop.cache.redis.handshake import Command, lost, pack
from pitstop.errors import RedisUnavailable

__all__ = ["Link", "pack"]

BACKLOG_BYTES = 64 * 1024 * 1024
TICK_SECONDS = 0.01  # a caller is told so much late at most; a silent server costs no scan for each of them
DEAD_SECONDS = 5.0  # a server that is silent for so much longer than its caller waited is gone
_NOTHING = object()  # False is a reply of RESP3


class _Batch(msgspec.Struct):  # made without a call of Python
    """A call's place in the queue. Its caller may have gone: then the replies are dropped as they come."""

    future: Answer
    missing: int
    deadline: float
    replies: list[Any] = []


class Link(asyncio.Protocol):
    """A connection as long as it lasts; made by ``loop.create_connection``.

    Args:
        address: for messages.
        loop: the event loop it lives in.
        on_lost: called once with the reason when the connection is lost.
    """

    def __init__(
        self, address: Address, loop: asyncio.AbstractEventLoop, on_lost: Callable[[RedisUnavailable], None]
    ) -> None:
        self.lost: RedisUnavailable | None = None
        self._address = address
        self._loop = loop
        self._on_lost = on_lost
        self._reader = Reader(notEnoughData=_NOTHING)
        self._gets: Callable[[], Any] = self._reader.gets
        self._batches: deque[_Batch] = deque()
        self._outgoing: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = float("inf")
        self._transport: asyncio.Transport | None = None
        self._gone = loop.create_future()

    def ask(self, commands: Sequence[Command], seconds: float) -> "asyncio.Future[list[Any]]":
        """Send a batch of one command or more, in one piece: at once where nothing is under way, else at the
        end of this turn of the loop, with those of others.

        Raises:
            RedisUnavailable: the connection is lost, or too much is waiting to be sent.
        """
        transport = self._transport
        if transport is None or self.lost is not None:
            raise lost(self._address, "not connected")
        waiting = transport.get_write_buffer_size()
        if waiting > BACKLOG_BYTES:
            raise lost(self._address, f"{waiting} bytes are waiting to be sent")
        return self.ask_packed([pack(command) for command in commands], seconds)

    def ask_packed(self, packed: Sequence[bytes], seconds: float) -> "asyncio.Future[list[Any]]":
        """The same for commands that are packed already, on a connection that stands."""
        loop = self._loop
        deadline = loop.time() + seconds
        future = Answer(loop=loop)
        if self._outgoing or self._batches or self._transport is None:
            if not self._outgoing:
                loop.call_soon(self._flush)
            self._outgoing.extend(packed)
        else:  # nobody to wait for: a turn of the loop costs as much as the command itself
            self._transport.write(packed[0] if len(packed) == 1 else b"".join(packed))
        self._batches.append(_Batch(future, len(packed), deadline))
        if deadline < self._timer_at:
            self._arm(deadline)
        return future

    def abort(self) -> None:
        """Close the connection; callers get an error."""
        self._end("closed by us")

    async def close(self) -> None:
        """Close the connection and wait until the loop has let go of it."""
        self.abort()
        await self._gone

    def forget(self) -> None:
        """In a child after a fork: let go of the socket without a word to the server.

        The descriptor is replaced, not closed: closing goes through the event loop and would take the
        parent's socket out of the epoll set that both share.
        """
        self.lost = lost(self._address, "connected before a fork")
        if (
            self._transport is not None
            and (descriptor := self._transport.get_extra_info("socket").fileno()) >= 0
        ):
            null = os.open(os.devnull, os.O_RDWR)
            os.dup2(null, descriptor, inheritable=False)
            os.close(null)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one by behaviour only

    def data_received(self, data: bytes) -> None:
        """Called by the loop: hand out the replies that have come."""
        self._reader.feed(data)
        gets, batches = self._gets, self._batches
        try:
            while (reply := gets()) is not _NOTHING:
                if type(reply) is PushNotification:
                    continue
                batch = batches[0]
                batch.replies.append(reply)
                batch.missing -= 1
                if not batch.missing:
                    batches.popleft()
                    if not batch.future.done():
                        batch.future.give(batch.replies)
        except (ProtocolError, IndexError) as error:  # IndexError: a reply that nobody asked for
            self._end(error)

    def eof_received(self) -> None:
        """Called by the loop: the server has closed its side."""
        self._end("connection closed by the server")

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop: the socket is gone."""
        self._end(exc or "connection closed by the server")
        if not self._gone.done():
            self._gone.set_result(None)

    def _flush(self) -> None:
        data = b"".join(self._outgoing)
        self._outgoing.clear()
        if self._transport is not None and self.lost is None:
            self._transport.write(data)

    def _end(self, reason: object) -> None:
        if self.lost is not None:
            return
        self.lost = lost(self._address, reason)
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._transport.abort()
        for batch in self._batches:
            if not batch.future.done():
                batch.future.set_exception(lost(self._address, reason))
        self._batches.clear()
        self._on_lost(self.lost)

    def _arm(self, deadline: float) -> None:
        """One timer for all batches: set anew only for a deadline that is nearer than those before."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = deadline
        self._timer = self._loop.call_at(deadline, self._expire)

    def _expire(self) -> None:
        """Answer the callers whose time is over. Their batches stay: the replies may still come."""
        self._timer, self._timer_at = None, float("inf")
        now = self._loop.time()
        if self._batches and now > self._batches[0].deadline + DEAD_SECONDS:
            return self._end(f"no answer for {DEAD_SECONDS:g} s")
        following = float("inf")
        for batch in self._batches:
            if batch.deadline <= now and not batch.future.done():
                batch.future.set_exception(lost(self._address, "no answer in time"))
            due = batch.deadline if batch.deadline > now else batch.deadline + DEAD_SECONDS + 0.001
            following = min(following, due)
        if following < float("inf"):
            self._arm(max(following, now + TICK_SECONDS))
        return None
