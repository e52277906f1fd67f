"""One run of an application for a load: what it sends is kept, or passed on to the client as it comes."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from pitstop.cache.page import Headers, Page

__all__ = ["ASGIApp", "ASGIScope", "Capture", "Message", "NotKept", "Receive", "Rules", "Send"]

log = logging.getLogger("pitstop.cache")

Message = MutableMapping[str, Any]
ASGIScope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[ASGIScope, Receive, Send], Awaitable[None]]

_STREAM_SECONDS = 1.0  # a body that takes longer is a stream: its client must not wait for its end
_FORBIDDING = (b"no-store", b"no-cache", b"private")
_going_on: set["asyncio.Task[None]"] = set()


class NotKept(Exception):
    """The response cannot be kept; its own client is getting it already.

    Attributes:
        capture: the run that is passing it on.
    """

    def __init__(self, capture: "Capture") -> None:
        super().__init__("the response cannot be kept")
        self.capture = capture


class Rules:
    """Which responses may be kept.

    Args:
        vary: headers of the request that are in the key, or with which a request is never answered from the
            cache; lower case.
        max_body: bytes.
    """

    def __init__(self, *, vary: frozenset[bytes], max_body: int) -> None:
        self._vary = vary
        self.max_body = max_body

    def allow(self, message: Message) -> bool:
        """Whether a response that begins like this may be kept."""
        if message["status"] != 200 or message.get("trailers"):
            return False
        return all(self._allows(name.lower(), value) for name, value in message.get("headers", ()))

    def _allows(self, name: bytes, value: bytes) -> bool:
        if name == b"set-cookie":
            return False
        if name == b"cache-control":
            return not any(word in value.lower() for word in _FORBIDDING)
        if name == b"vary":
            return all(each.strip().lower() in self._vary for each in value.split(b","))
        if name == b"content-length":
            return value.isdigit() and int(value) <= self.max_body
        return not (name == b"content-type" and value.lower().startswith(b"text/event-stream"))


class Capture:
    """Runs an application; each is run once.

    Args:
        app: the application.
        scope: of the request, its own copy.
        receive, send: of the client whose request it is; None if nobody waits.
        rules: which responses may be kept.
        make: makes the page of headers and body.
    """

    def __init__(
        self,
        app: ASGIApp,
        scope: ASGIScope,
        *,
        client: tuple[Receive, Send] | None,
        rules: Rules,
        make: Callable[[Headers, bytes], Awaitable[Page]],
    ) -> None:
        self.scope = scope
        self._app = app
        self._client = client
        self._rules = rules
        self._make = make
        self._messages: list[Message] = []
        self._size = 0
        self._asked = False
        self._live = False
        self._complete = False
        self._sending = asyncio.Lock()
        self._begun = asyncio.Event()
        self._decided = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def run(self) -> Page:
        """The page that the application sends.

        Raises:
            NotKept: it may not be kept; :meth:`finish` waits for its end.
        """
        self._task = asyncio.create_task(self._run())
        try:
            await self._begun.wait()
            try:
                await asyncio.wait_for(self._decided.wait(), _STREAM_SECONDS)
            except TimeoutError:
                await self._pass_on()
        except asyncio.CancelledError:
            self._task.cancel()
            raise
        if self._complete:
            start, *pieces = self._messages
            headers = [(name.lower(), value) for name, value in start.get("headers", ())]
            return await self._make(headers, b"".join(each.get("body", b"") for each in pieces))
        if self._task.done() and not self._live:
            await self._task  # it failed before it had sent everything
        raise NotKept(self)

    async def finish(self) -> None:
        """Wait until the application has ended; what it raises is raised here."""
        if self._task is not None:
            try:
                await self._task
            except asyncio.CancelledError:
                self._task.cancel()
                raise

    async def _run(self) -> None:
        task = asyncio.current_task()
        assert task is not None, "made by create_task"
        _going_on.add(task)  # background tasks of a response run after it has been sent
        try:
            await self._app(self.scope, self._receive, self._send)
        except Exception:
            if self._complete:
                log.exception("a response was sent, and the application failed after it")
                return
            raise
        finally:
            _going_on.discard(task)
            self._begun.set()
            self._decided.set()

    async def _receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._decided.wait()
        while self._live and self._client is not None:
            message = await self._client[0]()
            if message["type"] == "http.disconnect":
                return message
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        async with self._sending:
            if not self._live:
                self._messages.append(message)
                if self._may_keep(message):
                    return
                await self._flush()
            elif self._client is not None:
                await self._client[1](message)

    def _may_keep(self, message: Message) -> bool:
        """Whether the response may still be kept with this message."""
        if message["type"] == "http.response.start":
            self._begun.set()
            return self._rules.allow(message)
        if message["type"] != "http.response.body":
            return False
        self._size += len(message.get("body", b""))
        if self._size > self._rules.max_body:
            return False
        if not message.get("more_body"):
            self._complete = True
            self._decided.set()
        return True

    async def _pass_on(self) -> None:
        async with self._sending:
            if not self._live and not self._complete:
                await self._flush()

    async def _flush(self) -> None:
        """From now on the client gets what comes; what came so far, first."""
        self._live = True
        messages, self._messages = self._messages, []
        if self._client is None:
            if self._task is not None:
                self._task.cancel()
        else:
            for each in messages:
                await self._client[1](each)
        self._begun.set()
        self._decided.set()
