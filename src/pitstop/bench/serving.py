"""One form's server, a process of its own: ``python -m pitstop.bench.serving``.

Serves ``module:factory`` with uvicorn on an inherited socket, and ends when standard input does.
"""

import argparse
import os
import socket
import sys
import threading
from importlib import import_module

__all__ = ["main"]


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
    application = getattr(import_module(module), function)(form=form)
    config = uvicorn.Config(application, access_log=False, log_level="warning", lifespan="auto")
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
