"""No process that a test started outlives the run, however the run ends: a watcher ends what is left."""

import atexit
import functools
import subprocess
import sys

_WATCH = """
import os, signal, sys
left = set()
for line in sys.stdin:
    pid = int(line)
    left.add(pid) if pid > 0 else left.discard(-pid)
for pid in left:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
"""


def watch(pid: int) -> None:
    """Have a process ended with this one, killed or not."""
    _tell(pid)


def unwatch(pid: int) -> None:
    """Forget a process that has ended: its number may become another's."""
    _tell(-pid)


def _tell(number: int) -> None:
    pipe = _watcher().stdin
    assert pipe is not None
    pipe.write(f"{number}\n".encode())
    pipe.flush()


@functools.cache
def _watcher() -> "subprocess.Popen[bytes]":
    """It reads until this process is gone: the kernel closes the pipe then. A Ctrl-C does not reach it."""
    watcher = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _WATCH], stdin=subprocess.PIPE, start_new_session=True
    )
    atexit.register(watcher.communicate)
    return watcher
