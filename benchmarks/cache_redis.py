"""What a command costs through Pitstop's connection, beside redis-py: CPU and wall time of this process."""

import asyncio
import resource
import statistics
import time
from collections.abc import Awaitable, Callable

from redis.asyncio import Redis

from pitstop.cache.redis import Client
from pitstop.servers import private_servers

LIMIT = 0.5  # of the CPU of redis-py's GET, for MGET of a value and two tokens
ROUNDS = 7
CALLS = 3000
SECONDS = 5.0
CONCURRENCIES = (1, 50)

Call = Callable[[], Awaitable[object]]
Costs = dict[tuple[str, int], list[tuple[float, float]]]


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def _measure(call: Call, concurrency: int) -> tuple[float, float]:
    """Microseconds of CPU and wall time for one call."""

    async def caller() -> None:
        for _ in range(CALLS // concurrency):
            await call()

    cpu, wall = _cpu(), time.perf_counter()
    await asyncio.gather(*[caller() for _ in range(concurrency)])
    return (_cpu() - cpu) / CALLS * 1e6, (time.perf_counter() - wall) / CALLS * 1e6


async def _race(url: str) -> Costs:
    costs: Costs = {}
    async with Redis.from_url(url) as rival:
        client = Client(url)
        await rival.mset({"value": b"x" * 2048, "token:1": b"12345678", "token:2": b"12345678"})
        get, mget = [(b"GET", b"value")], [(b"MGET", b"value", b"token:1", b"token:2")]
        calls: dict[str, Call] = {
            "redis-py GET": lambda: rival.get("value"),
            "redis-py MGET": lambda: rival.mget("value", "token:1", "token:2"),
            "pitstop GET": lambda: client.run(get, seconds=SECONDS),
            "pitstop MGET": lambda: client.run(mget, seconds=SECONDS),
        }
        for _ in range(ROUNDS + 1):  # the first one warms up
            for concurrency in CONCURRENCIES:
                for name, call in calls.items():
                    costs.setdefault((name, concurrency), []).append(await _measure(call, concurrency))
        await client.close()
    return {key: each[1:] for key, each in costs.items()}


def main() -> None:
    with private_servers(postgresql=False) as servers:
        costs = asyncio.run(_race(servers.redis_url))
    print(
        f"\ncache_redis: microseconds for one call, 2 KB value (MGET: and two tokens of 8 bytes), "
        f"median of {ROUNDS} interleaved rounds"
    )
    print(f"  {'':14} {'callers':>8} {'cpu':>7} {'wall':>7} {'cpu, of redis-py GET':>22}")
    for (name, concurrency), each in costs.items():
        cpu, wall = (statistics.median(column) for column in zip(*each, strict=True))
        rival = statistics.median(column for column, _ in costs["redis-py GET", concurrency])
        print(f"  {name:14} {concurrency:8} {cpu:7.1f} {wall:7.1f} {cpu / rival:21.2f}x")
    print(f"  limit: pitstop MGET at most {LIMIT:.2f}x")


if __name__ == "__main__":
    main()
