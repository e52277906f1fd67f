"""One counted window from outside: starts the generator, follows it, reads what it recorded."""

import contextlib
import json
import queue
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from pitstop.bench.child import child, tail
from pitstop.bench.records import Mode, Records, read_records
from pitstop.errors import BenchError

__all__ = ["Load", "State", "run_load"]

DRAIN_S = 30.0  # how long a task may go on after the window
STARTUP_S = 60.0  # importing Locust and the locustfile, on a busy machine
SILENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class Load:
    """What is sent, and how long.

    Attributes:
        url: base URL of the server.
        locustfile: path of the file with the user class.
        user_class: its name; empty for the only one there.
        users: simulated users.
        seconds, warmup: of the counted window and before it.
    """

    url: str
    locustfile: str
    user_class: str
    mode: Mode
    users: int
    seconds: float
    warmup: float

    def arguments(self, out: Path) -> list[str]:
        """The generator's command line."""
        values = {
            "locustfile": self.locustfile,
            "user-class": self.user_class,
            "host": self.url,
            "mode": self.mode,
            "users": self.users,
            "seconds": self.seconds,
            "warmup": self.warmup,
            "drain": DRAIN_S,
            "out": out,
        }
        return [f"--{name}={value}" for name, value in values.items()]


@dataclass(frozen=True, slots=True)
class State:
    """How far the generator is: ``at`` is ``warming`` or ``counting``; requests since that began."""

    at: str
    requests: int
    errors: int
    seconds: float


def run_load(
    load: Load, *, directory: Path, begin: Callable[[], None], follow: Callable[[State], None]
) -> Records:
    """Make one load.

    Args:
        directory: for the generator's log and records.
        begin: called when the users are at rest and the window is about to begin.
        follow: called a few times a second.

    Raises:
        BenchError: the load cannot be made; the message is the generator's.
    """
    out, log = directory / "records", directory / "generator.log"
    out.unlink(missing_ok=True)
    with child("pitstop.bench.generator", load.arguments(out), log=log, talks=True) as process:
        _follow(process, log=log, begin=begin, follow=follow)
    return read_records(out)


def _follow(
    process: subprocess.Popen[str], *, log: Path, begin: Callable[[], None], follow: Callable[[State], None]
) -> None:
    lines = _lines(process)
    patience = STARTUP_S
    while True:
        message = _next(lines, seconds=patience, log=log)
        patience = SILENCE_S
        match message.pop("at"):
            case "ready":
                begin()
                _go(process)
            case "done":
                return
            case "refused":
                raise BenchError(message["message"] + tail(log, lines=3))
            case at:
                follow(State(at, **message))


def _go(process: subprocess.Popen[str]) -> None:
    if process.stdin:
        with contextlib.suppress(BrokenPipeError):  # its end is told by its output
            process.stdin.write("go\n")
            process.stdin.flush()


def _next(lines: "queue.Queue[str | None]", *, seconds: float, log: Path) -> dict[str, Any]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            line = lines.get(timeout=0.5)  # short, so that Ctrl-C is felt on every platform
        except queue.Empty:
            continue
        if line is None:
            raise BenchError(f"the load generator ended before its work was done:{tail(log)}")
        message: dict[str, Any] = json.loads(line)
        return message
    raise BenchError(f"the load generator was silent for {seconds:.0f} s:{tail(log)}")


def _lines(process: subprocess.Popen[str]) -> "queue.Queue[str | None]":
    """Its output as a queue, None at the end: reading a pipe has no time-out."""
    lines: queue.Queue[str | None] = queue.Queue()

    def pump(stream: TextIO) -> None:
        with contextlib.suppress(OSError, ValueError):  # closed under us when the run is given up
            for line in stream:
                lines.put(line)
        lines.put(None)

    if process.stdout:
        threading.Thread(target=pump, args=[process.stdout], daemon=True).start()
    return lines
