"""What one window costs the servers: CPU and memory of process trees, statements of a database."""

import contextlib
import http.client
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

import psutil
import psycopg

from pitstop.bench.serving import COUNTS_PATH
from pitstop.errors import BenchError

__all__ = ["Database", "Meter", "Reading", "Tree", "listening_process"]

LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class Tree:
    """A process with all that descend from it."""

    def __init__(self, pid: int) -> None:
        try:
            self._root = psutil.Process(pid)
        except psutil.NoSuchProcess:
            raise BenchError(f"there is no process {pid}: give the pid of the running server") from None

    def cpu_s(self) -> float:
        """CPU seconds of the tree so far, those of ended and awaited children included."""
        return sum(sum(times[:4]) for times in self._each(lambda process: process.cpu_times()))

    def memory_bytes(self) -> int:
        """Resident memory now; pages shared between the processes count once for each."""
        return sum(info.rss for info in self._each(lambda process: process.memory_info()))

    def _each(self, read: Any) -> Iterator[Any]:
        try:
            processes = [self._root, *self._root.children(recursive=True)]
        except psutil.NoSuchProcess:
            raise BenchError(f"server process {self._root.pid} ended during the run") from None
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                yield read(process)


class Database:
    """One connection to a form's database, for counting its statements.

    Args:
        url: any spelling of a PostgreSQL URL.

    Raises:
        BenchError: nobody answers there.
    """

    def __init__(self, url: str) -> None:
        scheme, _, rest = url.partition("://")
        plain = f"{scheme.split('+')[0]}://{rest}"
        try:
            self._connection = psycopg.connect(
                plain, autocommit=True, connect_timeout=10, application_name="pitstop bench"
            )
        except psycopg.Error as error:
            where = urlsplit(plain)
            place = f"{where.hostname}:{where.port or 5432}"
            raise BenchError(f"no connection to the database at {place}: {str(error).strip()}") from error
        self._calls = files("pitstop.bench").joinpath("statement_calls.sql").read_bytes()
        self.counts = self._knows_statements()
        self.server = _server_tree(self._connection)

    @property
    def version(self) -> str:
        """The server's version, e.g. ``"18.1"``."""
        return self._connection.info.parameter_status("server_version") or ""

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()

    def calls(self) -> int | None:
        """Statements that this database was sent so far; None without ``pg_stat_statements``."""
        if not self.counts:
            return None
        row = self._connection.execute(self._calls).fetchone()
        return int(row[0]) if row else None

    def _knows_statements(self) -> bool:
        try:
            self._connection.execute(self._calls)
        except psycopg.Error:  # not installed, not preloaded, or not ours to read
            return False
        return True


def _server_tree(connection: psycopg.Connection[Any]) -> Tree | None:
    """The server's processes if they run on this machine and can be seen."""
    if connection.info.host not in LOOPBACK and not connection.info.host.startswith("/"):
        return None
    try:
        backend = psutil.Process(connection.info.backend_pid)
        postmaster = backend.parent()
        # Behind a forwarded port the number belongs to another machine's process.
        if postmaster is None or "postgres" not in backend.name() or "postgres" not in postmaster.name():
            return None
        return Tree(postmaster.pid)
    except (psutil.Error, BenchError):
        return None


@dataclass(frozen=True, slots=True)
class Reading:
    """Counters at one moment; None where there is nothing to read.

    Attributes:
        at_s: when, on a clock of its own.
        machine_cpu_s: CPU seconds of everything on the machine, what the host stole included.
        server_cpu_s, postgres_cpu_s: of the form's processes and of PostgreSQL's.
        statements: that the form's database was sent.
        cache: hits of the form's caches, and calls.
    """

    at_s: float
    machine_cpu_s: float
    server_cpu_s: float | None
    postgres_cpu_s: float | None
    statements: int | None
    cache: tuple[int, int] | None = None


class Meter:
    """Reads what belongs to one form.

    Args:
        pid: the form's server process, None if it is not known.
        database: the form's database, None if it is not known.
        counts_url: where the form's process tells of its caches, None where it does not.
    """

    def __init__(self, *, pid: int | None, database: Database | None, counts_url: str | None = None) -> None:
        self._tree = Tree(pid) if pid else None
        self._counts_url = counts_url
        self._database = database
        self.peak_memory_bytes = 0

    def read(self) -> Reading:
        """Read the counters."""
        postgres = self._database.server if self._database else None
        return Reading(
            time.perf_counter(),
            _machine_cpu_s(),
            self._tree.cpu_s() if self._tree else None,
            postgres.cpu_s() if postgres else None,
            self._database.calls() if self._database else None,
            _cache_counts(self._counts_url) if self._counts_url else None,
        )

    def sample(self) -> None:
        """Look at the memory; the highest look is the peak."""
        if self._tree:
            self.peak_memory_bytes = max(self.peak_memory_bytes, self._tree.memory_bytes())


def _cache_counts(url: str) -> tuple[int, int] | None:
    """What :mod:`pitstop.bench.serving` tells."""
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=10)
    try:
        connection.request("GET", COUNTS_PATH)
        counts = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise BenchError(f"the server at {url} does not tell of its cache: {error}") from error
    finally:
        connection.close()
    return None if counts is None else (counts[0], counts[1])


def _machine_cpu_s() -> float:
    times = psutil.cpu_times()
    parts = ("user", "nice", "system", "irq", "softirq", "steal")
    return sum(getattr(times, part, 0.0) for part in parts)


def listening_process(url: str) -> int | None:
    """The process that listens at a loopback URL, the eldest where workers share the socket."""
    where = urlsplit(url)
    if where.hostname not in LOOPBACK:
        return None
    port = where.port or (443 if where.scheme == "https" else 80)
    try:
        pids = {
            found.pid
            for found in psutil.net_connections(kind="tcp")
            if found.status == psutil.CONN_LISTEN and found.pid and found.laddr and found.laddr.port == port
        }
    except psutil.AccessDenied:
        return None
    elders = [pid for pid in pids if not _ancestors(pid) & pids]
    return elders[0] if len(elders) == 1 else None


def _ancestors(pid: int) -> set[int]:
    try:
        return {process.pid for process in psutil.Process(pid).parents()}
    except psutil.NoSuchProcess:
        return set()
