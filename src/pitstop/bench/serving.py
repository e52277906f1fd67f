"""One form's server, a process of its own: ``python -m pitstop.bench.serving``.

Serves ``module:factory`` with uvicorn on an inherited socket, and ends when standard input does.
"""

import argparse
import json
import os
import socket
import sys
import threading
from importlib import import_module
from typing import Any

__all__ = ["COUNTS_PATH", "main"]

COUNTS_PATH = "/.pitstop/bench/cache"


def _leave_with_starter() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def main(arguments: list[str] | None = None) -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m pitstop.bench.serving", description=__doc__)
    parser.add_argument("factory", help="module:function that makes the application of a form")
    parser.add_argument("--form", required=True)
    parser.add_argument("--descriptor", type=int, required=True, help="of the bound socket")
    options = parser.parse_args(arguments)
    threading.Thread(target=_leave_with_starter, daemon=True).start()
    serve(options.factory, form=options.form, listener=socket.socket(fileno=options.descriptor))


def serve(factory: str, *, form: str, listener: socket.socket) -> None:
    """Make the application of a form and serve it on a bound socket, one worker, no access log."""
    import uvicorn

    module, _, function = factory.partition(":")
    application = _Counted(getattr(import_module(module), function)(form=form))
    config = uvicorn.Config(application, access_log=False, log_level="warning", lifespan="auto")
    uvicorn.Server(config).run(sockets=[listener])


class _Counted:
    """The application, and beside it one path that tells how often its caches had an answer.

    Args:
        app: the application.
    """

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope.get("path") != COUNTS_PATH:
            await self._app(scope, receive, send)
            return
        room = sys.modules.get("pitstop.cache.core")  # not imported for a form without a cache
        counts = room.hits_and_calls() if room is not None else None
        start = {"type": "http.response.start", "status": 200, "headers": []}
        await send(start)
        await send({"type": "http.response.body", "body": json.dumps(counts).encode()})


if __name__ == "__main__":
    main()
