"""The connections of one event loop, which end with it."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable

from pitstop.cache.redis.address import Address
from pitstop.cache.redis.connection import Connection
from pitstop.cache.redis.servers import Servers
from pitstop.errors import PitstopError

__all__ = ["LoopPool"]


class LoopPool:
    """One connection to each server, made in the running loop.

    Args:
        connect_seconds: to wait for each connection and its greeting.
        servers: which are trusted.
    """

    def __init__(self, *, connect_seconds: float, servers: Servers) -> None:
        self._servers = servers
        self.loop = asyncio.get_running_loop()
        self._connect_seconds = connect_seconds
        self._connections: dict[Address, Connection] = {}
        self._latest: tuple[Address, Connection] | None = None
        self._shared: asyncio.Task[PitstopError | None] | None = None
        self._guard = self._until_the_loop_ends()

    async def start(self) -> "LoopPool":
        """Have the loop close the connections when it ends: it finishes async generators then."""
        await anext(self._guard)
        return self

    def connection(self, address: Address) -> Connection:
        """The connection to a server; it opens when first used."""
        latest = self._latest
        if latest is not None and latest[0] is address:  # an address takes a while to hash
            return latest[1]
        connection = self._connections.get(address)
        if connection is None:
            connection = Connection(address, connect_seconds=self._connect_seconds, servers=self._servers)
            self._connections[address] = connection
        self._latest = address, connection
        return connection

    def retry(self) -> None:
        """Have every connection that failed try again at its next call."""
        for connection in list(self._connections.values()):
            connection.retry()

    def drop(self, addresses: Iterable[Address]) -> None:
        """Have the next call to these servers connect anew: their names may lead elsewhere by now."""
        for address in addresses:
            self.connection(address).drop()

    def drop_all(self) -> None:
        """Have every server asked again who it is, from another thread."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(lambda: self.drop(list(self._connections)))

    async def share(
        self, work: Callable[[], Coroutine[None, None, PitstopError | None]], seconds: float
    ) -> None:
        """Wait for a piece of work that all callers of this loop share; a caller's end does not end it.

        Raises:
            PitstopError: what the work returned.
        """
        shared = self._shared
        if shared is None:
            shared = self._shared = asyncio.create_task(work())
            shared.add_done_callback(self._shared_is_done)
        done, _ = await asyncio.wait([shared], timeout=seconds)
        if done and not shared.cancelled() and (error := shared.result()) is not None:
            raise type(error)(str(error))

    def _shared_is_done(self, _: "asyncio.Task[PitstopError | None]") -> None:
        self._shared = None

    async def close(self) -> None:
        """Close all connections."""
        await self._guard.aclose()

    def abandon(self) -> None:
        """Close all connections from another thread, without waiting, as long as the loop runs."""
        if not self.loop.is_closed():
            asyncio.run_coroutine_threadsafe(self.close(), self.loop)

    def reset_after_fork(self) -> None:
        """In a child process: forget the connections, which are the parent's."""
        for connection in self._connections.values():
            connection.reset_after_fork()

    async def _until_the_loop_ends(self) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            connections = list(self._connections.values())
            self._connections.clear()
            self._latest = None
            for connection in connections:
                await connection.close()
