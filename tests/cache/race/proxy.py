"""A way to Redis that can be cut, slowed down or blocked, for one process alone."""

import asyncio
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

__all__ = ["Proxy"]


class Proxy:
    """Forwards connections on the loopback interface, in a thread of its own.

    Args:
        port: of the server behind it.

    Attributes:
        behind: the port of the server that new connections lead to.
        delay: seconds that each piece waits on its way to the server and back.
    """

    def __init__(self, port: int) -> None:
        self.behind = port
        self._loop = asyncio.new_event_loop()
        self._open = asyncio.Event()
        self._open.set()
        self._refusing = False
        self._writers: set[asyncio.StreamWriter] = set()
        self.delay = 0.0
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(5.0)
        self.port: int = self._server.sockets[0].getsockname()[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def cut(self, *, refuse: bool = False) -> None:
        """Close all connections; with ``refuse`` new ones as well until :meth:`mend`."""
        self._refusing = refuse
        self._do(self._cut)

    def block(self) -> None:
        """Leave all connections open and forward nothing: half open."""
        self._do(self._open.clear)

    def mend(self) -> None:
        """Forward again, what waited first."""
        self._refusing = False
        self._do(self._open.set)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(5.0)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5.0)
        self._loop.close()

    def _do(self, what: object) -> None:
        done = threading.Event()

        def act() -> None:
            what()  # type: ignore[operator]
            done.set()

        self._loop.call_soon_threadsafe(act)
        done.wait(5.0)

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._accept, "127.0.0.1", 0)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            writer.transport.abort()
            return
        try:
            back, forth = await asyncio.open_connection("127.0.0.1", self.behind)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, forth}
        await asyncio.gather(self._pump(reader, forth), self._pump(back, writer))
        self._writers -= {writer, forth}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await reader.read(1 << 16):
                if self.delay:
                    await asyncio.sleep(self.delay)
                await self._open.wait()
                writer.write(piece)
                await writer.drain()
        # what was on its way arrives, as it does when a process has closed its end
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    def _cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _close(self) -> None:
        self._server.close()
        self._open.set()
        self._cut()
        await asyncio.sleep(0.05)
        others = [each for each in asyncio.all_tasks() if each is not asyncio.current_task()]
        for each in others:
            each.cancel()
        await asyncio.gather(*others, return_exceptions=True)
