"""A private Redis: started and stopped here, by the keeper. It keeps nothing on disk."""

import signal
import socket
import subprocess
from pathlib import Path

from pitstop.errors import ServerStartFailed
from pitstop.servers.account import Account
from pitstop.servers.port import free_port
from pitstop.servers.process import Launch, end, wait_until
from pitstop.servers.program import Program
from pitstop.servers.serverlog import ServerLog

__all__ = ["Redis"]

START_SECONDS = 60.0
STOP_SECONDS = 10.0
ATTEMPTS = 8
DATABASES = 64  # one for each worker of a parallel test run

# Read from standard input: a password on the command line is there for everyone to see in `ps`.
_CONFIGURATION = """\
bind 127.0.0.1
port {port}
requirepass {password}
databases {databases}
save ""
appendonly no
maxmemory-policy noeviction
daemonize no
tcp-backlog 128
"""


class Redis:
    """One server whose working directory is below a directory.

    Args:
        directory: holds ``redis/`` and ``redis.log``.
        program: the installed server.
        account: whom it runs as; None for whoever runs this.
    """

    def __init__(self, directory: Path, *, program: Program, account: Account | None) -> None:
        self._home = directory / "redis"
        self._program = program
        self._account = account
        self._log = ServerLog(directory / "redis.log")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether the server is up."""
        return self._process is not None and self._process.poll() is None

    def start(self, *, password: str, port: int | None, renew: bool) -> int:
        """Bring the server up.

        Args:
            password: what clients must give.
            port: the port to take if it is free.
            renew: means nothing here: nothing is kept, so every password is new.

        Returns:
            the port it listens on.

        Raises:
            ServerStartFailed: it did not come up.
            OSError: the directory cannot be written.
        """
        self._home.mkdir(mode=0o700, exist_ok=True)
        if self._account is not None:
            self._account.own(self._home)
        for attempt in range(ATTEMPTS):
            chosen = free_port(port if attempt == 0 else None)
            if self._listen(chosen, password):
                return chosen
        raise ServerStartFailed(f"redis found no free port in {ATTEMPTS} attempts: {self._log.tail()}")

    def stop(self) -> None:
        """Shut the server down."""
        if self._process is not None:
            end(self._process, [(signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, STOP_SECONDS)])
            self._process = None
        self._log.close()

    def _listen(self, port: int, password: str) -> bool:
        """Whether the server came up; False if somebody else was faster to take the port."""
        self._log.mark()
        launch = Launch(self._account, self._log.descriptor, signal.SIGKILL)
        settings = _CONFIGURATION.format(port=port, password=password, databases=DATABASES)
        command = [str(self._program.directory / "redis-server"), "-"]
        self._process = process = launch.start(command, directory=self._home, text=settings)
        wait_until(lambda: process.poll() is not None or _answers(port, password), seconds=START_SECONDS)
        if process.poll() is None and _answers(port, password):
            return True
        end(process, [(signal.SIGKILL, STOP_SECONDS)])
        self._process = None
        if "Address already in use" in self._log.since_mark():
            return False
        raise ServerStartFailed(f"redis did not start: {self._log.tail()}")


def _answers(port: int, password: str) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2.0) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            answer = b""
            while answer.count(b"\r\n") < 2:
                received = connection.recv(256)
                if not received:
                    return False
                answer += received
            return answer == b"+OK\r\n+PONG\r\n"
    except OSError:
        return False
