"""Server processes: started so that they die with their starter, ended for certain, found when left over."""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from pitstop.servers.account import Account

__all__ = ["Launch", "end", "end_leftovers", "wait_until"]

_PR_SET_PDEATHSIG = 1
_prctl = getattr(ctypes.CDLL(None), "prctl", None)  # looked up before any fork

_KEPT_VARIABLES = ("PATH", "LD_LIBRARY_PATH", "TMPDIR")


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start the programs of one server.

    Attributes:
        account: whom they run as; None for whoever runs this.
        log: open file descriptor for what they print.
        death_signal: what the kernel sends them when their starter dies.
        descriptors: open descriptors that they need.
    """

    account: Account | None
    log: int
    death_signal: signal.Signals
    descriptors: Sequence[int] = field(default=())

    def start(self, arguments: Sequence[str], *, directory: Path, text: str = "") -> subprocess.Popen[bytes]:
        """Start a program in a directory, with a text on its standard input."""
        reader, writer = os.pipe()
        try:
            process = subprocess.Popen(
                arguments,
                cwd=directory,
                env=_environment(),
                stdin=reader,
                stdout=self.log,
                stderr=self.log,
                pass_fds=self.descriptors,
                user=self.account.uid if self.account else None,
                group=self.account.gid if self.account else None,
                extra_groups=[] if self.account else None,
                preexec_fn=self._die_with(os.getpid()),  # noqa: PLW1509 - the keeper has one thread
            )
            os.write(writer, text.encode())
        finally:
            os.close(reader)
            os.close(writer)
        return process

    def run(self, arguments: Sequence[str], *, directory: Path, text: str = "", seconds: float) -> int:
        """Run a program to its end and give its exit status; one that takes longer is killed."""
        process = self.start(arguments, directory=directory, text=text)
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            return -1
        finally:
            end(process, [(signal.SIGKILL, 10.0)])

    def _die_with(self, starter: int) -> Callable[[], None]:
        # Set after the change of user, which would clear it, and by the keeper's only thread: the
        # kernel ties it to the thread that forked.
        number = int(self.death_signal)

        def arm() -> None:
            if _prctl is not None:
                _prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
            if os.getppid() != starter:  # it died before the signal was armed
                os._exit(1)

        return arm


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    return {"PATH": os.defpath, **kept, "LC_ALL": "C"}


def wait_until(condition: Callable[[], bool], *, seconds: float, step: float = 0.005) -> bool:
    """Poll a condition; False if it did not come true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(step)
        step = min(step * 1.5, 0.1)
    return True


def end(process: subprocess.Popen[bytes], signals: Sequence[tuple[signal.Signals, float]]) -> None:
    """End a process: each signal in turn, with seconds to obey, until it has gone."""
    for number, seconds in signals:
        if process.poll() is not None:
            return
        process.send_signal(number)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue


def end_leftovers(directory: Path) -> None:
    """Kill servers that still work in a directory whose keeper is gone.

    The kernel says who they are (the working directory of a process), so a process that was
    given the number of a former server by chance is never touched.
    """
    for home in (directory / "postgresql" / "data", directory / "redis"):
        for number in (signal.SIGQUIT, signal.SIGKILL):
            for process in _working_in(home):
                os.kill(process, number)
            if wait_until(partial(_deserted, home), seconds=5.0):
                break


def _deserted(directory: Path) -> bool:
    return not any(_working_in(directory))


def _working_in(directory: Path) -> Iterator[int]:
    where = os.path.realpath(directory)
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(entry / "cwd") == where and _is_server(entry):
                yield int(entry.name)
        except OSError:  # gone meanwhile, or another user's
            continue


def _is_server(entry: Path) -> bool:
    name = Path(os.readlink(entry / "exe").removesuffix(" (deleted)")).name
    return name in ("postgres", "redis-server")
