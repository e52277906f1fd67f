"""What always-on observation costs, to a few microseconds: slices with and without it, in one process.

Two processes of the very same program differ by several percent on a shared machine (see ``bare again`` in
``observation.py``); slices of 20 requests that alternate within one process do not. The application is the
one of ``observation.py``, called through ASGI without a server, on a real PostgreSQL; in the bare slices the
hooks are taken out of SQLAlchemy altogether. CPU time is the process's, the recorder's thread included.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine.interfaces import Dialect

from benchmarks.observation import fill
from pitstop.advisor.recorder import start_recorder
from pitstop.events import subscribe
from pitstop.scope import ScopeEnded
from pitstop.servers import private_servers
from pitstop.sql import hooks, observe
from pitstop.store import Store
from pitstop.web import ObserveMiddleware

SLICES = int(os.environ.get("SLICES", "400"))
REQUESTS = 20
HOOKS = {
    name: getattr(hooks, f"_{name}") for name in ("do_execute", "do_execute_no_params", "do_executemany")
}
SCOPE = {
    "type": "http",
    "asgi": {"version": "3.0"},
    "http_version": "1.1",
    "method": "GET",
    "path": "/items",
    "raw_path": b"/items",
    "query_string": b"after=5",
    "headers": [(b"host", b"localhost")],
    "client": ("127.0.0.1", 1),
    "server": ("127.0.0.1", 80),
    "scheme": "http",
    "root_path": "",
}


async def _receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _send(message: object) -> None:
    return None


async def _slice(app: Any) -> float:
    before = time.process_time()
    for _ in range(REQUESTS):
        await app(dict(SCOPE), _receive, _send)
    return (time.process_time() - before) / REQUESTS * 1e6


def _unhook() -> None:
    for name, hook in HOOKS.items():
        if event.contains(Engine, name, hook):
            event.remove(Engine, name, hook)
    Dialect._has_events = False
    hooks._installed = False


async def _measure(app: Any, engine: Any, directory: str) -> dict[str, list[float]]:
    """CPU per request of each variant, one figure a slice."""
    observed = ObserveMiddleware(app)
    found: dict[str, list[float]] = {"bare": [], "middleware": [], "+ statements": [], "+ record": []}

    def nothing() -> list[Callable[[], None]]:
        return []

    def statements() -> list[Callable[[], None]]:
        return [observe(engine).close, _unhook]

    recorder = start_recorder(Store(directory, max_bytes=2**26))
    recorder._unsubscribe()  # its thread goes on in every slice: one that starts would cost the slice more

    def record() -> list[Callable[[], None]]:
        return [subscribe(ScopeEnded, recorder._on_ended), *statements()]

    variants = [
        ("bare", app, nothing),
        ("middleware", observed, nothing),
        ("+ statements", observed, statements),
        ("+ record", observed, record),
    ]
    for number in range(SLICES + 10):
        for name, application, begin in variants[number % 4 :] + variants[: number % 4]:
            end = begin()
            await _slice(application)  # caches warm again
            cpu = await _slice(application)
            if number >= 10:
                found[name].append(cpu)
            for each in end:
                each()
    recorder.close()
    return found


async def _run(database_url: str, directory: str) -> dict[str, list[float]]:
    os.environ["DATABASE_URL"] = database_url
    os.environ["VARIANT"] = "bare"
    from benchmarks import observation_app

    try:
        return await _measure(observation_app.app, observation_app.engine, directory)
    finally:
        await observation_app.engine.dispose()


def main() -> None:
    with private_servers(redis=False) as servers, tempfile.TemporaryDirectory() as directory:
        fill(servers.sync_database_url)
        found = asyncio.run(_run(servers.database_url, directory))
    bare = found.pop("bare")
    print("\nobservation_cost: CPU per request of a 20-row ORM endpoint, in one process")
    print(f"  median of {SLICES} alternating slices of {REQUESTS} requests")
    print(f"  {'bare (the limit)':18} {statistics.median(bare):7.1f} us")
    for name, values in found.items():
        more = [value - base for value, base in zip(values, bare, strict=True)]
        low, middle, high = statistics.quantiles(more, n=4)
        share = middle / statistics.median(bare)
        print(f"  {name:18} {middle:+7.1f} us  {share:+6.1%}  (quartiles {low:+.1f} .. {high:+.1f} us)")


if __name__ == "__main__":
    main()
