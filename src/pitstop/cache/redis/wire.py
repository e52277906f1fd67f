"""A blocking RESP3 connection of one thread: commands out, frames in, woken by any other thread."""

import contextlib
import select
import socket
import ssl
import time
from collections import deque
from typing import Any

from hiredis import ProtocolError, PushNotification, Reader

from pitstop.cache.redis.address import Address
from pitstop.cache.redis.handshake import Command, greeting, lost, pack, welcome
from pitstop.errors import RedisUnavailable

__all__ = ["Wire"]

CHUNK = 65536
SHORTEST_SECONDS = 0.001  # nothing or less would be refused by the socket, which stays open then
_NOTHING = object()  # False is a reply of RESP3


class Wire:
    """One connection. Opening it greets the server. Only :meth:`wake` may be called by another thread.

    Args:
        address: where the server is.
        connect_seconds: to wait for the connection and its greeting, and later for room to send.

    Attributes:
        address: where the server is.
        hello: what the server said of itself: ``mode`` (``standalone``, ``cluster``, ``sentinel``), ``role``
            (``master``, ``replica``), ``version``, ``id``.
        closed: whether the connection is gone, by :meth:`close` or by an error.

    Raises:
        RedisUnavailable: it cannot be reached, or does not let us in.
    """

    def __init__(self, address: Address, *, connect_seconds: float = 1.0) -> None:
        connect_seconds = max(connect_seconds, SHORTEST_SECONDS)
        self.address = address
        self.closed = False
        self._send_seconds = connect_seconds
        self._reader = Reader(notEnoughData=_NOTHING)
        self._frames: deque[Any] = deque()
        deadline = time.monotonic() + connect_seconds
        try:
            self._socket = _connect(address, connect_seconds)
        except (OSError, ValueError) as error:
            raise lost(address, error) from error
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        self._socket.setblocking(False)
        try:
            replies = self.blocking(greeting(address), max(SHORTEST_SECONDS, deadline - time.monotonic()))
            self.hello: dict[str, Any] = welcome(address, replies)
        except BaseException:
            self.close()
            raise

    def fileno(self) -> int:
        """The descriptor of the connection."""
        return self._socket.fileno()

    def send(self, *commands: Command) -> None:
        """Send commands; their replies come from :meth:`receive`, in order.

        Raises:
            RedisUnavailable: the connection is lost, or the server takes nothing in.
        """
        data = memoryview(b"".join([pack(command) for command in commands]))
        deadline = time.monotonic() + self._send_seconds
        while data:
            try:
                data = data[self._socket.send(data) :]
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                if not self._ready(deadline, select.POLLOUT):
                    raise self._fail("it takes nothing in") from None
            except OSError as error:
                raise self._fail(error) from error

    def receive(self, seconds: float) -> list[Any]:
        """Every frame that has come: replies, and pushes (:class:`hiredis.PushNotification`).

        Args:
            seconds: to wait for the first.

        Returns:
            at least one frame; none after the time, or when :meth:`wake` was called.

        Raises:
            RedisUnavailable: the connection is lost.
        """
        deadline = time.monotonic() + seconds
        while True:
            self._read()
            if self._frames:
                frames = list(self._frames)
                self._frames.clear()
                return frames
            if not self._ready(deadline, select.POLLIN) or self._was_woken():
                return []

    def blocking(self, commands: list[Command], seconds: float) -> list[Any]:
        """Send commands and wait for their replies. Pushes that come meanwhile are kept for :meth:`receive`.

        Not to be mixed with replies to :meth:`send` that are still to come.

        Args:
            commands: what to send.
            seconds: for all replies; after them the connection is closed, since a reply may still come.

        Raises:
            RedisUnavailable: the connection is lost, or the time is over.
        """
        deadline = time.monotonic() + seconds
        self.send(*commands)
        return self.replies(len(commands), max(0.0, deadline - time.monotonic()))

    def replies(self, count: int, seconds: float) -> list[Any]:
        """The second half of :meth:`blocking`: wait for as many replies as were sent commands."""
        deadline = time.monotonic() + seconds
        replies: list[Any] = []
        pushes: list[Any] = []
        while len(replies) < count:
            self._read()
            while self._frames:
                frame = self._frames.popleft()
                (pushes if isinstance(frame, PushNotification) else replies).append(frame)
            if len(replies) < count and not self._ready(deadline, select.POLLIN, wakeable=False):
                raise self._fail(f"no answer within {seconds:.3g} s")
        self._frames.extend(pushes)
        return replies

    def wake(self) -> None:
        """End the present :meth:`receive`, or the next one, at once. For any thread."""
        with contextlib.suppress(OSError):  # full: it is awake already; closed: nobody waits
            self._waker.send(b"\0")

    def alive(self) -> bool:
        """Whether the connection, on which nothing is under way, still stands."""
        return not self.closed and not self._ready(0.0, select.POLLIN, wakeable=False)

    def close(self) -> None:
        """Close the connection; a second time does nothing."""
        self.closed = True
        for each in (self._socket, self._woken, self._waker):
            each.close()

    def _read(self) -> None:
        """Take in what has arrived, without waiting."""
        try:
            while True:
                data = self._socket.recv(CHUNK)
                if not data:
                    raise ConnectionResetError("connection closed by the server")
                self._reader.feed(data)
                if len(data) < CHUNK and not isinstance(self._socket, ssl.SSLSocket):
                    break
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except OSError as error:
            self._parse()
            if not self._frames:  # what came before the end still counts; the end is seen by the next call
                raise self._fail(error) from error
        self._parse()

    def _parse(self) -> None:
        try:
            while (frame := self._reader.gets()) is not _NOTHING:
                self._frames.append(frame)
        except ProtocolError as error:
            raise self._fail(error) from error

    def _ready(self, deadline: float, event: int, *, wakeable: bool = True) -> bool:
        """Wait for the socket, or for being woken; False if the time is over."""
        poll = select.poll()
        poll.register(self._socket, event)
        if wakeable and event == select.POLLIN:
            poll.register(self._woken, select.POLLIN)
        return bool(poll.poll(max(0.0, deadline - time.monotonic()) * 1000))

    def _was_woken(self) -> bool:
        try:
            return bool(self._woken.recv(CHUNK))
        except BlockingIOError:
            return False

    def _fail(self, reason: object) -> RedisUnavailable:
        self.close()
        return lost(self.address, reason)


def _connect(address: Address, seconds: float) -> socket.socket:
    if address.path is not None:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(seconds)
        try:
            connection.connect(address.path)
        except BaseException:
            connection.close()
            raise
        return connection
    connection = socket.create_connection((address.host, address.port), timeout=seconds)
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        tls = address.tls()
        return connection if tls is None else tls.wrap_socket(connection, server_hostname=address.host)
    except BaseException:
        connection.close()
        raise
