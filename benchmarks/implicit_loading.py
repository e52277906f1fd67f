"""What implicit loading costs a request in which nothing is lazy: slices with and without it, in one process.

The endpoint is the one of ``observation_app``, one ORM statement of 20 rows on a real PostgreSQL, called
through ASGI without a server. Slices of 20 requests alternate, as in ``observation_cost``, which says why.
"""

import asyncio
import os
import statistics
from typing import Any

from fastapi import FastAPI

from benchmarks.observation import fill
from benchmarks.observation_cost import REQUESTS, _slice
from pitstop import implicit_loading
from pitstop.servers import private_servers

SLICES = int(os.environ.get("SLICES", "200"))
LIMIT = 1.10  # of the CPU of the same application without it


def _applications(endpoint: Any) -> dict[str, FastAPI]:
    without, again, covered, decorated = (FastAPI() for _ in range(4))
    implicit_loading(covered)
    for app in (without, again, covered):
        app.get("/items")(endpoint)
    decorated.get("/items")(implicit_loading(endpoint))
    return {"without": without, "without again": again, "application": covered, "route": decorated}


async def _measure(applications: dict[str, FastAPI]) -> dict[str, list[float]]:
    """CPU per request of each application, one figure a slice."""
    found: dict[str, list[float]] = {name: [] for name in applications}
    order = list(applications.items())
    for number in range(SLICES + 10):
        for name, app in order[number % 4 :] + order[: number % 4]:
            cpu = await _slice(app)
            if number >= 10:
                found[name].append(cpu)
    return found


async def _run(database_url: str) -> dict[str, list[float]]:
    os.environ["DATABASE_URL"] = database_url
    os.environ["VARIANT"] = "bare"
    from benchmarks import observation_app

    try:
        return await _measure(_applications(observation_app.items))
    finally:
        await observation_app.engine.dispose()


def main() -> None:
    with private_servers(redis=False) as servers:
        fill(servers.sync_database_url)
        found = asyncio.run(_run(servers.database_url))
    without = found.pop("without")
    base = statistics.median(without)
    print("\nimplicit_loading: CPU per request of a 20-row ORM endpoint in which nothing is lazy")
    print(f"  median of {SLICES} alternating slices of {REQUESTS} requests; limit {LIMIT:.2f}x")
    print(f"  {'without':18} {base:7.1f} us")
    for name, values in found.items():
        more = [value - other for value, other in zip(values, without, strict=True)]
        low, middle, high = statistics.quantiles(more, n=4)
        ratio = 1 + middle / base
        print(f"  {name:18} {middle:+7.1f} us  {ratio:.3f}x  (quartiles {low:+.1f} .. {high:+.1f} us)")


if __name__ == "__main__":
    main()
