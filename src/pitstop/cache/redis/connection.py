"""A connection to one server for one event loop: opened when first needed, and again after a loss."""

import asyncio
from collections.abc import Sequence
from typing import Any

from pitstop.cache.redis.address import Address
from pitstop.cache.redis.backoff import Backoff
from pitstop.cache.redis.handshake import Command, greeting, lost, welcome
from pitstop.cache.redis.link import Link
from pitstop.cache.redis.servers import Servers
from pitstop.errors import RedisUnavailable

__all__ = ["Connection"]


class Connection:
    """An auto-pipelining connection: what many tasks ask in one turn of the loop leaves together.

    The first command leaves at once where nothing is under way, the others of that turn in one write.
    For commands that answer at once: not for ``SUBSCRIBE``, ``BLPOP`` and their like, which would hold up
    everybody behind them. The commands of one call stay together, so ``MULTI`` ... ``EXEC`` may be one call.

    Args:
        address: where the server is.
        connect_seconds: to wait for the connection and its greeting.
        servers: which are trusted.

    Attributes:
        hello: what the server said of itself.
        link: what stands now; None until somebody has opened it.
    """

    def __init__(
        self, address: Address, *, connect_seconds: float = 1.0, servers: Servers | None = None
    ) -> None:
        self.address = address
        self._servers = servers or Servers()
        self.hello: dict[str, Any] = {}
        self._connect_seconds = connect_seconds
        self.link: Link | None = None  # an attribute: a property costs the shortest way its time
        self._opening: asyncio.Task[RedisUnavailable | None] | None = None
        self._backoff = Backoff()

    async def run(self, commands: Sequence[Command], *, seconds: float) -> list[Any]:
        """Send commands and wait for their replies, in order.

        A caller that is cancelled, or whose time is over, leaves at once; its commands may still be done.

        Args:
            commands: what to send.
            seconds: to wait for the replies, and for the connection if there is none yet.

        Raises:
            RedisUnavailable: the server cannot be reached, is lost meanwhile, or does not answer in time.
                After a failure to connect it is raised at once for a short while.
        """
        if not commands:
            return []
        link = self.link
        if link is None:
            deadline = asyncio.get_running_loop().time() + seconds
            link = await self._opened(seconds)
            seconds = deadline - asyncio.get_running_loop().time()
        return await link.ask(commands, seconds)

    def retry(self) -> None:
        """The server answers somebody else: connect at the next call, whatever failed before."""
        self._backoff.succeeded()

    def drop(self) -> None:
        """Give the connection up; callers that wait get ``RedisUnavailable``, the next call connects anew."""
        if self.link is not None:
            self.link.abort()

    async def close(self) -> None:
        """Close the connection; callers that wait get ``RedisUnavailable``. The next call opens it again."""
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait([self._opening])
        if self.link is not None:
            await self.link.close()

    def reset_after_fork(self) -> None:
        """In a child process: forget the connection, which is the parent's."""
        if self.link is not None:
            self.link.forget()
        self.link = self._opening = None
        self._backoff = Backoff()

    async def _opened(self, seconds: float) -> Link:
        """Wait for the one attempt to connect that all callers share; a caller's end does not end it."""
        opening = self._opening
        if opening is None:
            self._backoff.check()
            opening = self._opening = asyncio.create_task(self._open())
        done, _ = await asyncio.wait([opening], timeout=seconds)
        if self.link is not None:
            return self.link
        if done and not opening.cancelled() and (reason := opening.result()) is not None:
            raise RedisUnavailable(str(reason))
        raise lost(self.address, f"no connection within {seconds:g} s")

    async def _open(self) -> RedisUnavailable | None:
        """Connect and greet. An error is returned and not raised: perhaps nobody waits for it any more."""
        link: Link | None = None
        try:
            async with asyncio.timeout(self._connect_seconds):
                link = await self._connect()
                greetings, questions = greeting(self.address), self._servers.questions
                replies = await link.ask([*greetings, *questions], self._connect_seconds)
                self.hello = welcome(self.address, replies[: len(greetings)])
                self._servers.admit(self.address, replies[len(greetings) :])
            self._backoff.succeeded()
            self.link = link
        except TimeoutError:
            return self._backoff.failed(
                lost(self.address, f"no connection within {self._connect_seconds:g} s")
            )
        except (OSError, ValueError) as error:
            return self._backoff.failed(lost(self.address, error))
        except RedisUnavailable as error:
            return self._backoff.failed(error)
        finally:
            self._opening = None
            if link is not None and link is not self.link:
                link.abort()
        return None

    async def _connect(self) -> Link:
        loop, address = asyncio.get_running_loop(), self.address

        def make() -> Link:
            return Link(address, loop, self._lost)

        if address.path is not None:
            return (await loop.create_unix_connection(make, address.path))[1]
        return (await loop.create_connection(make, address.host, address.port, ssl=address.tls()))[1]

    def _lost(self, reason: RedisUnavailable) -> None:
        self.link = None
