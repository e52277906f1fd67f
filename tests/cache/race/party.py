"""A party: the processes of a race, started together and ended together whatever happens."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pitstop.cache.clock import clock
from tests.cache.race.board import Board
from tests.cache.race.counters import create_counters

__all__ = ["ISOLATIONS", "Party", "Runner"]

ISOLATIONS = ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE", "READ COMMITTED")
_ROOT = Path(__file__).parents[3]


class Runner:
    """One process that takes orders.

    Args:
        module: what it runs.
        orders: its first line.
        directory: keeps what it says on standard error.
    """

    def __init__(self, module: str, orders: dict[str, Any], *, directory: Path) -> None:
        self.log = directory / f"{module.rpartition('.')[2]}{orders.get('index', '')}.log"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=_ROOT,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            )
        self._left = b""
        self.send(orders)

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, order: dict[str, Any]) -> None:
        """Give an order."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()

    def answer(self, *, seconds: float = 30.0) -> dict[str, Any]:
        """The answer to the oldest order that has none."""
        assert self._process.stdout is not None
        until = clock() + seconds
        while b"\n" not in self._left:
            ready, _, _ = select.select([self._process.stdout], [], [], max(0.0, until - clock()))
            piece = os.read(self._process.stdout.fileno(), 1 << 20) if ready else b""
            if not piece:
                said = self.log.read_text(errors="replace")[-3000:]
                raise RuntimeError(f"process {self.pid} gave no answer within {seconds:g} s; it said: {said}")
            self._left += piece
        line, _, self._left = self._left.partition(b"\n")
        found: dict[str, Any] = json.loads(line)
        if "failed" in found:
            raise RuntimeError(f"process {self.pid}: {found['failed']}")
        return found

    def do(self, what: str, *, seconds_to_answer: float = 30.0, **order: Any) -> dict[str, Any]:
        """Give an order and wait for the answer."""
        self.send({"do": what, **order})
        return self.answer(seconds=seconds_to_answer)

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """End it, frozen or not."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.kill()
        self._process.wait(10.0)


class Party:
    """Workers that share a database, a Redis and a board.

    Args:
        directory: of the board and the logs.
        database_url, redis_urls: of the servers; one URL of Redis for all, or one for each.
        workers: how many.
        rows: of the table.
        linger: seconds, as of :class:`tests.cache.race.counters.Counters`.
        cache: arguments of the cache.
    """

    def __init__(
        self,
        directory: Path,
        *,
        database_url: str,
        redis_urls: Sequence[str],
        workers: int = 4,
        rows: int = 8,
        linger: float = 0.004,
        tracked: bool = False,
        **cache: Any,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        create_counters(database_url, rows)
        self.rows = rows
        self.directory = directory
        file = directory / "board"
        self.board = Board(file, rows)
        self.workers: list[Runner] = []
        self.database_url, self.redis_urls, self.cache = database_url, redis_urls, cache
        self._orders = {
            "database_url": database_url,
            "board": str(file),
            "rows": rows,
            "linger": linger,
            "tracked": tracked,
            "cache": cache,
        }
        try:
            for _ in range(workers):
                self.invite()
            self.all("start")
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def invite(self) -> Runner:
        """One more process; its cache begins when it is told to start."""
        index = len(self.workers)
        orders = {
            "index": index,
            "redis_url": self.redis_urls[index % len(self.redis_urls)],
            "isolation": ISOLATIONS[index % len(ISOLATIONS)],
            **self._orders,
        }
        self.workers.append(Runner("tests.cache.race.worker", orders, directory=self.directory))
        return self.workers[-1]

    def close(self) -> None:
        """End all processes."""
        for worker in self.workers:
            worker.end()
        self.board.close()

    def send(self, what: str, **order: Any) -> None:
        """Give every worker an order, with rows of its own to write if it is to write."""
        for index, worker in enumerate(self.workers):
            own = list(range(self.rows))[index :: len(self.workers)]
            more = {"own": own, "rows": self.rows} if what in ("race", "store") else {}
            worker.send({"do": what, **more, **order})

    def answers(self, *, seconds: float = 60.0) -> list[dict[str, Any]]:
        """What all of them answer."""
        return [worker.answer(seconds=seconds) for worker in self.workers]

    def all(self, what: str, **order: Any) -> list[dict[str, Any]]:
        """Have all of them do something at once."""
        self.send(what, **order)
        return self.answers(seconds=60.0 + order.get("seconds", 0.0))
