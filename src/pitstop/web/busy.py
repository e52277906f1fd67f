"""The ASGI middleware that answers 503 with Retry-After when no connection became free in time."""

import json
import logging
from time import monotonic

from pitstop.errors import PoolExhausted
from pitstop.web.middleware import ASGIApp, Message, Receive, Send
from pitstop.web.route import ASGIScope

__all__ = ["BusyMiddleware"]

log = logging.getLogger("pitstop.pool")

_EVERY_S = 10.0


class BusyMiddleware:
    """Answers 503 with ``Retry-After`` where a request fails with :class:`~pitstop.errors.PoolExhausted`.

    A client that waited for a connection in vain is told when to come again, and not that the server is
    broken. Who holds the connections is the log's to tell, once in ten seconds, and not the client's to know.
    A response that has begun cannot be taken back: then the error goes on.

    Args:
        app: any ASGI 3 application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._logged = -_EVERY_S
        self._kept_back = 0

    async def __call__(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except PoolExhausted as error:
            self._log(error)
            if begun:
                raise
            await _refuse(send, error.retry_after_s)

    def _log(self, error: PoolExhausted) -> None:
        now = monotonic()
        if now - self._logged < _EVERY_S:
            self._kept_back += 1
            return
        more = f" ({self._kept_back} more since the last line)" if self._kept_back else ""
        self._logged, self._kept_back = now, 0
        log.error("answered 503: %s%s", error, more)


async def _refuse(send: Send, seconds: int) -> None:
    body = json.dumps({"detail": f"too many requests at once, try again in {seconds} s"}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"retry-after", str(seconds).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": body})
