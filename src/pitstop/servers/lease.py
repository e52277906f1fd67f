"""A process's hold on the servers of a directory: joins the keeper that is there, or starts one."""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
import weakref
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pitstop.errors import ServerStartFailed
from pitstop.servers.home import FIRST_LEASE, LOCK, PREFIX, SOCKET, lock_directory
from pitstop.servers.process import end_leftovers, wait_until
from pitstop.servers.program import Kind, find_program

__all__ = ["Lease"]

ANSWER_SECONDS = 900.0  # the keeper's own bounds are below it
STOP_SECONDS = 60.0
ATTEMPTS = 4

# No `site`: neither packages of the environment nor hooks of others run in the keeper.
_KEEPER = (
    "import sys; sys.path.append(sys.argv[1]); from pitstop.servers.keeper import main; main(sys.argv[2])"
)
_HOME = str(Path(__file__).parents[2])

_leases: "weakref.WeakSet[Lease]" = weakref.WeakSet()
_keepers: dict[int, Path] = {}  # those that this process started


class Lease:
    """The servers of a directory, for as long as this is held or this process lives.

    Args:
        directory: made if it does not exist; None for a new temporary one.
        kinds: which servers.
        temporary: the directory is deleted when nobody holds a lease any more.

    Raises:
        ServerNotFound: a server program is missing.
        ServerStartFailed: a server did not come up, or the directory cannot be used.
    """

    def __init__(self, directory: Path | None, kinds: Sequence[Kind], *, temporary: bool = False) -> None:
        self._owner = os.getpid()
        self._temporary = temporary or directory is None
        request = {
            "servers": list(kinds),
            "programs": {kind: find_program(kind).as_json() for kind in kinds},
            "temporary": self._temporary,
        }
        self.directory = directory or _temporary_directory()
        self._connection, answer = _ask(self.directory, request)
        if "error" in answer:
            self.close()
            raise ServerStartFailed(answer["error"])
        self.servers: dict[Kind, dict[str, Any]] = answer["servers"]
        _leases.add(self)

    def close(self) -> None:
        """End the lease; if it was the last one, everything is stopped when this returns."""
        if os.getpid() != self._owner:  # a forked child never ends its parent's servers
            return self.forget()
        ended = False
        with contextlib.suppress(OSError):
            self._connection.settimeout(STOP_SECONDS)
            self._connection.sendall(b'{"leave": true}\n')
            ended = not self._connection.recv(64)  # others hold it still if there is a word
        self._connection.close()
        _reap(self.directory if ended else None)
        if self._temporary and ended:  # a keeper that was killed could not
            with contextlib.suppress(OSError):
                _sweep(self.directory)
        return None

    def forget(self) -> None:
        """Let go without a word: what a forked child does, its parent's lease goes on."""
        self._connection.close()


def _forget_all() -> None:
    for lease in list(_leases):
        lease.forget()
    _keepers.clear()


os.register_at_fork(after_in_child=_forget_all)


def _temporary_directory() -> Path:
    """A new directory of this user's; what killed processes left behind is swept away first."""
    parent = Path(tempfile.gettempdir())
    for stale in parent.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            _sweep(stale)
    made = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    _let_server_enter(made)
    return made


def _sweep(directory: Path) -> None:
    if directory.is_symlink() or directory.stat().st_uid != os.geteuid() or not (directory / LOCK).exists():
        return
    lock = lock_directory(directory)
    if lock is not None:
        try:
            end_leftovers(directory)
            shutil.rmtree(directory, ignore_errors=True)
        finally:
            os.close(lock)


def _let_server_enter(directory: Path) -> None:
    if os.geteuid() == 0:  # the server runs as another user; secrets below have modes of their own
        directory.chmod(0o711)


def _ask(directory: Path, request: dict[str, Any]) -> tuple[socket.socket, dict[str, Any]]:
    """Ask until a keeper answers: one that is just ending does not, and the next round starts another."""
    failures = 0
    deadline = time.monotonic() + ANSWER_SECONDS
    while failures < ATTEMPTS and time.monotonic() < deadline:
        joined = _join(directory)
        connection = joined or _start_keeper(directory)
        try:
            answer = _converse(connection, request, seconds=max(deadline - time.monotonic(), 1.0))
        except OSError:
            failures += joined is None
        except BaseException:
            connection.close()
            raise
        else:
            if not answer.get("busy"):
                return connection, answer
        connection.close()
        _reap(None)
        time.sleep(0.05)
    raise ServerStartFailed(f"the keeper of {directory} does not answer: see {directory / 'keeper.log'}")


def _converse(connection: socket.socket, request: dict[str, Any], *, seconds: float) -> dict[str, Any]:
    connection.settimeout(seconds)
    connection.sendall(json.dumps(request).encode() + b"\n")
    return _read_line(connection)


def _read_line(connection: socket.socket) -> dict[str, Any]:
    received = b""
    while not received.endswith(b"\n"):
        part = connection.recv(65536)
        if not part:
            raise ConnectionResetError("the keeper ended")
        received += part
    answer: dict[str, Any] = json.loads(received)
    return answer


def _join(directory: Path) -> socket.socket | None:
    """A connection to the keeper of a directory, if there is one."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        with _short(directory) as path:
            connection.connect(path)
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        connection.close()
        return None
    except OSError as error:
        connection.close()
        raise ServerStartFailed(
            f"the servers in {directory} cannot be joined: {(error.strerror or str(error)).lower()}: "
            "give a directory of your own"
        ) from error
    return connection


@contextlib.contextmanager
def _short(directory: Path) -> Iterator[str]:
    """The keeper's socket by a path within the 107 bytes that the kernel allows."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{SOCKET}"
    finally:
        os.close(descriptor)


def _start_keeper(directory: Path) -> socket.socket:
    """Start a keeper in a session of its own, where no Ctrl-C of a terminal reaches it."""
    try:
        _make(directory)
        log = os.open(directory / "keeper.log", os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ServerStartFailed(
            f"{directory} cannot be used for servers: {(error.strerror or str(error)).lower()}: "
            "give a directory that you may write"
        ) from error
    ours, theirs = socket.socketpair()
    # A descriptor that already has the number it shall get would stay closed on exec.
    lease = fcntl.fcntl(theirs.fileno(), fcntl.F_DUPFD_CLOEXEC, 10)
    try:
        _keepers[_spawn(str(directory), lease=lease, log=log)] = directory
    finally:
        theirs.close()
        os.close(lease)
        os.close(log)
    return ours


def _spawn(directory: str, *, lease: int, log: int) -> int:
    # Not a Popen: it would complain about a keeper that outlives this process for another's sake.
    return os.posix_spawn(
        sys.executable,
        [sys.executable, "-I", "-S", "-c", _KEEPER, _HOME, directory],
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, log, 1),
            (os.POSIX_SPAWN_DUP2, log, 2),
            (os.POSIX_SPAWN_DUP2, lease, FIRST_LEASE),
        ],
        setsid=True,
        setsigmask=[],
        setsigdef=[signal.SIGINT, signal.SIGTERM, signal.SIGPIPE],
    )


def _make(directory: Path) -> None:
    if not directory.is_dir():
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        _let_server_enter(directory)


def _reap(ending: Path | None) -> None:
    """Collect keepers that have ended, after waiting for the one of a directory that is just ending."""
    for keeper, directory in list(_keepers.items()):
        wait_until(partial(_ended, keeper), seconds=5.0 if directory == ending else 0.0)


def _ended(keeper: int) -> bool:
    try:
        ended = os.waitpid(keeper, os.WNOHANG)[0] != 0
    except ChildProcessError:
        ended = True
    if ended:
        _keepers.pop(keeper, None)
    return ended
