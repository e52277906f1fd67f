"""The keeper: a process that owns the servers of one directory for as long as anybody wants them.

Every user process holds a connection to it, its lease. The kernel closes a connection however a
process dies, so the keeper always learns of it; when the last lease has gone it stops the servers,
deletes the directory if it is temporary, and ends. Only one keeper works in a directory: it holds
a lock on a file there. Imports nothing but the standard library, and has one thread.

A lease speaks lines of JSON: ``{"servers": ..., "programs": ..., "temporary": ...}`` asks for
servers and is answered with their ports and passwords or with an error; ``{"leave": true}`` ends
the lease, and the connection is closed once nothing of it is left.
"""

import contextlib
import json
import os
import secrets
import selectors
import shutil
import signal
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

from pitstop.errors import ServerError, ServerStartFailed
from pitstop.servers.account import Account, server_account
from pitstop.servers.home import FIRST_LEASE, PREFIX, SOCKET, STATE, lock_directory
from pitstop.servers.postgresql import PostgreSQL
from pitstop.servers.process import end_leftovers
from pitstop.servers.program import Kind, Program
from pitstop.servers.redis import Redis

__all__ = ["Keeper", "main"]


class Keeper:
    """The servers of one directory and the leases on them.

    Args:
        directory: an existing directory.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._temporary = False
        self._account: Account | None = None
        self._servers: dict[Kind, PostgreSQL | Redis] = {}
        self._copies: Path | None = None
        self._state: dict[str, Any] = {}
        self._listener = socket.socket(socket.AF_UNIX)
        self._selector = selectors.DefaultSelector()
        self._leases: dict[socket.socket, bytes] = {}

    def open(self) -> None:
        """Clean up after a keeper that was killed, and be there for further leases."""
        end_leftovers(self._directory)
        self._state = self._load_state()
        (self._directory / SOCKET).unlink(missing_ok=True)
        os.chdir(self._directory)  # a socket's path has 107 bytes at most, this one is short
        self._listener.bind(SOCKET)
        self._listener.listen(64)
        self._selector.register(self._listener, selectors.EVENT_READ)

    def serve(self, first: socket.socket) -> None:
        """Serve leases until the last has gone."""
        self._add(first)
        while self._leases:
            for key, _ in self._selector.select():
                if key.fileobj is self._listener:
                    self._add(self._listener.accept()[0])
                elif isinstance(key.fileobj, socket.socket) and key.fileobj in self._leases:
                    self._hear(key.fileobj)

    def close(self) -> None:
        """Stop every server and delete what is temporary; only then close the leases that wait for it."""
        (self._directory / SOCKET).unlink(missing_ok=True)  # nobody joins any more
        self._selector.close()
        for server in self._servers.values():
            server.stop()
        if self._copies is not None:
            shutil.rmtree(self._copies, ignore_errors=True)
        if self._temporary:
            shutil.rmtree(self._directory, ignore_errors=True)
        self._listener.close()

    def _add(self, lease: socket.socket) -> None:
        self._leases[lease] = b""
        self._selector.register(lease, selectors.EVENT_READ)

    def _hear(self, lease: socket.socket) -> None:
        try:
            received = lease.recv(65536)
        except OSError:
            received = b""
        if not received:
            return self._drop(lease)
        *lines, rest = (self._leases[lease] + received).split(b"\n")
        self._leases[lease] = rest
        for line in lines:
            request = json.loads(line)
            if request.get("leave"):
                return self._drop(lease)
            self._answer(lease, request)
        return None

    def _drop(self, lease: socket.socket) -> None:
        self._selector.unregister(lease)
        del self._leases[lease]
        if self._leases:
            _send(lease, {"stays": True})
            lease.close()
        else:
            lease.detach()  # stays open until this process ends: then everything is stopped

    def _answer(self, lease: socket.socket, request: dict[str, Any]) -> None:
        try:
            answer = self._provide(request)
        except ServerError as error:
            answer = {"error": str(error)}
        except OSError as error:
            answer = _unusable(self._directory, error)
        _send(lease, answer)

    def _provide(self, request: dict[str, Any]) -> dict[str, Any]:
        self._temporary = self._temporary or request["temporary"]
        answer = {}
        for kind in request["servers"]:
            server = self._servers.get(kind)
            if server is None or not server.running:
                self._start(kind, Program.from_json(request["programs"][kind]))
            answer[kind] = self._state[kind]
        return {"servers": answer}

    def _start(self, kind: Kind, program: Program) -> None:
        self._account = self._account or server_account()
        if self._account is not None:
            self._account.require()
            program = self._readable(program, self._account)
        known = self._state.get(kind, {})
        password = known.get("password")
        renew = password is None
        if password is None:  # written down first: a cluster never has a password that nobody knows
            password = secrets.token_urlsafe(24)
            self._save_state(kind, {"password": password})
        server = self._server(kind, program)
        try:
            port = server.start(password=password, port=known.get("port"), renew=renew)
        except BaseException:
            server.stop()
            raise
        self._servers[kind] = server
        self._save_state(kind, {"port": port, "password": password})

    def _server(self, kind: Kind, program: Program) -> PostgreSQL | Redis:
        if kind == "postgresql":
            return PostgreSQL(
                self._directory, program=program, account=self._account, temporary=self._temporary
            )
        return Redis(self._directory, program=program, account=self._account)

    def _readable(self, program: Program, account: Account) -> Program:
        """The program itself, or a copy if it lies where the account cannot read (below a closed home)."""
        if account.can_reach(program.executables):
            return program
        if not program.trees:
            raise ServerStartFailed(
                f"user {account.name!r}, which servers run as because root must not, cannot run "
                f"{program.directory}: install it where everybody can, or pip install 'pitstop[servers]'"
            )
        if self._copies is None:
            self._copies = _open_directory(self._directory, account)
        return program.copied_to(self._copies)

    def _load_state(self) -> dict[str, Any]:
        try:
            state = json.loads((self._directory / STATE).read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return state if isinstance(state, dict) else {}

    def _save_state(self, kind: Kind, state: dict[str, Any]) -> None:
        self._state[kind] = state
        fresh = self._directory / f"{STATE}.new"
        fresh.write_text(json.dumps(self._state))
        fresh.replace(self._directory / STATE)


def _send(lease: socket.socket, answer: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):  # who asked may have died while waiting; its end is read next
        lease.sendall(json.dumps(answer).encode() + b"\n")


def _unusable(directory: Path, error: OSError) -> dict[str, Any]:
    reason = (error.strerror or str(error)).lower()
    return {
        "error": f"{directory} cannot be used for servers: {reason}: make room, or give another directory"
    }


def _open_directory(near: Path, account: Account) -> Path:
    """A new directory that the account can enter, beside the servers' own if possible."""
    for parent in (near, Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")):  # noqa: S108
        if not parent.is_dir():
            continue
        made = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        made.chmod(0o711)
        if account.can_reach([made]):
            lock_directory(made)  # held until this process ends: whoever sweeps lets it be
            return made
        made.rmdir()
    raise ServerStartFailed(f"there is no directory that user {account.name!r} can enter: open one of /tmp")


def main(directory: str) -> None:
    """Keep the servers of a directory; ends when nobody wants them any more."""
    os.umask(0o077)
    os.closerange(FIRST_LEASE + 1, os.sysconf("SC_OPEN_MAX"))
    first = socket.socket(fileno=FIRST_LEASE)
    os.set_inheritable(FIRST_LEASE, False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit())
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    home = Path(directory)
    try:
        if lock_directory(home) is None:
            return _send(first, {"busy": True})
        _keep(Keeper(home), first)
    except OSError as error:
        _send(first, _unusable(home, error))


def _keep(keeper: Keeper, first: socket.socket) -> None:
    try:
        keeper.open()
        keeper.serve(first)
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        keeper.close()
