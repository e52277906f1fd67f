"""Which request a statement belongs to, where one block hears several: what two requests do is no loop.

A test that asks for five pages runs the same statement from the same line five times. Nothing on the stack
tells those requests apart (a sync view runs in a thread), so the framework numbers them, where it is in use.
"""

import functools
import sys
from contextlib import suppress
from contextvars import ContextVar
from itertools import count
from typing import Any

__all__ = ["number_requests", "request_number"]

_KEY = "pitstop.request_number"
_numbers = count(1)
_number: ContextVar[int] = ContextVar("pitstop_request_number", default=0)
_waiting = {"starlette.applications": "Starlette", "litestar.app": "Litestar", "quart.app": "Quart"}


def number_requests() -> None:
    """Number the requests of Starlette, FastAPI, Litestar and Quart from now on, if they are imported."""
    for module, name in tuple(_waiting.items()):
        application: Any = getattr(sys.modules.get(module), name, None)
        if application is not None and _waiting.pop(module, ""):
            application.__call__ = _numbering(application.__call__)


def request_number() -> int:
    """The number of the request that this code works for; 0 outside of any."""
    if _waiting:  # an application that was imported inside the block: its first request goes without
        number_requests()
    return _number.get()


def _numbering(call: Any) -> Any:
    @functools.wraps(call)
    async def numbered(self: Any, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or _KEY in scope:  # an application that is mounted in another
            await call(self, scope, receive, send)
            return
        scope[_KEY] = next(_numbers)
        token = _number.set(scope[_KEY])
        try:
            await call(self, scope, receive, send)
        finally:
            with suppress(ValueError):  # closed in another context, with its event loop
                _number.reset(token)

    return numbered
