"""Child processes of a run: in a session of their own, ended for certain, their log's end at hand."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil

__all__ = ["child", "tail"]

LINES = 15
END_S = 5.0


@contextlib.contextmanager
def child(
    module: str,
    arguments: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str] | None = None,
    descriptors: Sequence[int] = (),
    talks: bool = False,
) -> Iterator[subprocess.Popen[str]]:
    """Run ``python -m module`` for the length of a block; its standard input is a pipe.

    The child is out of reach of the terminal's Ctrl-C (this process ends it), and is to end by
    itself when its standard input does, so that it never outlives this process.

    Args:
        log: file for what it prints.
        environment: variables on top of this process's.
        descriptors: open descriptors it inherits.
        talks: its standard output is a pipe too, which the caller reads.
    """
    with log.open("ab") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if talks else stderr,
            stderr=stderr,
            env={**os.environ, **(environment or {})},
            pass_fds=descriptors,
            start_new_session=True,
            text=True,
        )
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    family = _family(process.pid)
    with contextlib.suppress(OSError):  # it may have closed its end first
        process.terminate()
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for left in family:  # psutil knows a number that was given to another process since
        with contextlib.suppress(psutil.NoSuchProcess):
            left.kill()
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):
            if pipe:
                pipe.close()


def _family(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def tail(log: Path, *, lines: int = LINES) -> str:
    """The last lines of a log, indented, to follow a message; empty if it says nothing."""
    try:
        text = log.read_text(errors="replace").rstrip()
    except OSError:
        return ""
    return "".join(f"\n  {line}" for line in text.splitlines()[-lines:])
