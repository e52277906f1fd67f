"""What a whole cached response costs: server CPU per request under uvicorn, beside a bare ASGI application.

The bare application sends the same bytes from a constant: the limit of what can be done in Python under this
server. Each variant is served by a process of its own and the same bursts go to each in turn, as in
``observation.py``, which has the reasons.
"""

import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psutil

from benchmarks import observation
from pitstop.servers import private_servers
from pitstop.servers.port import free_port

SETS = int(os.environ.get("SETS", "3"))
ROUNDS = int(os.environ.get("ROUNDS", "12"))
REQUESTS = int(os.environ.get("REQUESTS", "600"))
BAR = 1.4
VARIANTS = ("bare", "bare again", "pitstop", "pitstop strict", "fastapi")


@contextmanager
def served(variant: str, redis_url: str) -> Iterator[tuple[psutil.Process, int]]:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--factory", "benchmarks.cache_responses_app:app"]
    command += ["--port", str(port), "--no-access-log", "--log-level", "warning", "--lifespan", "off"]
    server = subprocess.Popen(command, env=os.environ | {"VARIANT": variant, "REDIS_URL": redis_url})
    try:
        observation.wait(port, server, path="/post")
        yield psutil.Process(server.pid), port
    finally:
        server.terminate()
        server.wait(10)


def measure_set(redis_url: str) -> dict[str, float]:
    """The median of each variant, every one in a new process."""
    cpu: dict[str, list[float]] = {name: [] for name in VARIANTS}
    with ExitStack() as stack:
        running = {name: stack.enter_context(served(name, redis_url)) for name in VARIANTS}
        for number in range(-1, ROUNDS):
            turn = number % len(VARIANTS)
            for name in VARIANTS[turn:] + VARIANTS[:turn]:
                spent = observation.measure(*running[name], path="/post", requests=REQUESTS)
                if number >= 0:
                    cpu[name].append(spent)
    return {name: statistics.median(values) for name, values in cpu.items()}


def main() -> None:
    with private_servers() as servers:
        sets = [measure_set(servers.redis_url) for _ in range(SETS)]
    print("\ncache_responses: server CPU per request, a response of 2 KB")
    print(f"  median of {SETS} sets of processes, each of {ROUNDS} interleaved rounds of {REQUESTS} requests")
    for name in VARIANTS:
        spent = statistics.median(each[name] for each in sets)
        ratio = statistics.median(each[name] / each["bare"] for each in sets)
        said = ""
        if name == "bare":
            said = "the limit"
        elif name.startswith("pitstop"):
            said = f"bar {BAR}x: {'held' if ratio <= BAR else 'MISSED'}"
        print(f"  {name:16} {spent:7.1f} us   {ratio:5.2f}x   {said}")


if __name__ == "__main__":
    main()
