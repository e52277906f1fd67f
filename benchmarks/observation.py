"""What always-on observation costs the server: CPU per request of a 20-row ORM endpoint under uvicorn.

Each variant is served by a process of its own; the same bursts go to each in turn, the order turning
round by round; CPU is what the operating system charges the server process. Two processes of the very
same program differ by several percent (where their objects lie decides which of CPython's caches collide),
so everything is started anew several times, and what is told is the median over these sets. Peers take
part when they are installed (``pip install -r requirements/benchmarks.txt``).
"""

import asyncio
import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import sqlalchemy

from pitstop.servers import private_servers
from pitstop.servers.port import free_port

SETS = int(os.environ.get("SETS", "8"))
ROUNDS = int(os.environ.get("ROUNDS", "15"))
REQUESTS = int(os.environ.get("REQUESTS", "100"))
CONNECTIONS = 4
PATH = "/items?after={}"
PEERS = {"opentelemetry": "opentelemetry.instrumentation.sqlalchemy", "queryspy": "queryspy"}


def variants() -> list[str]:
    """``bare again`` is the control: what the same thing measures against itself on this machine."""
    return ["bare", "bare again", "pitstop", *(name for name, module in PEERS.items() if _installed(module))]


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def fill(url: str) -> None:
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "create table benchmark_items as"
            " select i as id, 'item ' || i as name, i * 100 as price, mod(i, 7) as stock"
            " from generate_series(1, 1000) i"
        )
        connection.exec_driver_sql("alter table benchmark_items add primary key (id)")
    engine.dispose()


@contextmanager
def served(variant: str, url: str, directory: str) -> Iterator[tuple[psutil.Process, int]]:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "benchmarks.observation_app:app", "--port", str(port)]
    command += ["--no-access-log", "--log-level", "warning"]
    environment = os.environ | {
        "DATABASE_URL": url,
        "VARIANT": variant,
        "PITSTOP_STORE": str(Path(directory) / variant),
    }
    server = subprocess.Popen(command, env=environment)
    try:
        wait(port, server)
        yield psutil.Process(server.pid), port
    finally:
        server.terminate()
        server.wait(10)


def wait(port: int, server: "subprocess.Popen[bytes]", *, path: str = PATH) -> None:
    """Until it answers."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and server.poll() is None:
        try:
            asyncio.run(burst(port, 20, path=path))
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the server did not come up")


async def burst(port: int, requests: int, *, path: str = PATH) -> None:
    await asyncio.gather(*(_client(port, requests // CONNECTIONS, path) for _ in range(CONNECTIONS)))


async def _client(port: int, requests: int, path: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for number in range(requests):
        asked = path.replace("{}", str(number % 900))
        writer.write(f"GET {asked} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(head.decode())
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
    writer.close()


def measure(process: psutil.Process, port: int, *, path: str = PATH, requests: int = REQUESTS) -> float:
    """Server CPU of one burst, microseconds per request."""
    before = _cpu_ns(process.pid)
    asyncio.run(burst(port, requests, path=path))
    return (_cpu_ns(process.pid) - before) / requests / 1e3


def _cpu_ns(pid: int) -> int:
    """CPU time of all threads, in nanoseconds; the clock ticks of ``/proc/PID/stat`` are too coarse."""
    return sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{pid}/task").glob("*/schedstat"))


def measure_set(url: str, directory: str) -> dict[str, float]:
    """The median of each variant, every one in a new process."""
    names = variants()
    with ExitStack() as stack:
        running = {name: stack.enter_context(served(name, url, directory)) for name in names}
        for name in names:
            measure(*running[name])
        cpu: dict[str, list[float]] = {name: [] for name in names}
        for number in range(ROUNDS):
            turn = number % len(names)
            for name in names[turn:] + names[:turn]:
                cpu[name].append(measure(*running[name]))
    return {name: statistics.median(values) for name, values in cpu.items()}


def main() -> None:
    cpu: dict[str, list[float]] = {name: [] for name in variants()}
    with private_servers(redis=False) as servers, tempfile.TemporaryDirectory() as directory:
        fill(servers.sync_database_url)
        for _ in range(SETS):
            for name, value in measure_set(servers.database_url, directory).items():
                cpu[name].append(value)
    report(cpu)


def report(cpu: dict[str, list[float]]) -> None:
    print("\nobservation: server CPU per request")
    print(f"  median of {SETS} sets of processes, each of {ROUNDS} interleaved rounds of {REQUESTS} requests")
    bare = cpu["bare"]
    print(f"  {'bare (the limit)':18} {statistics.median(bare):7.0f} us")
    for name, values in cpu.items():
        if name == "bare":
            continue
        more = [value - base for value, base in zip(values, bare, strict=True)]
        ratio = [value / base - 1 for value, base in zip(values, bare, strict=True)]
        print(
            f"  {name:18} {statistics.median(values):7.0f} us   {statistics.median(more):+7.0f} us"
            f"   {statistics.median(ratio):+6.1%}  (quartiles {_quartiles(ratio)})"
        )


def _quartiles(values: list[float]) -> str:
    low, _, high = statistics.quantiles(values, n=4)
    return f"{low:+.1%} .. {high:+.1%}"


if __name__ == "__main__":
    main()
