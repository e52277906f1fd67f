"""Redis servers of a test's own, which it may freeze, kill and restart."""

import signal
import subprocess
import uuid
from collections.abc import Sequence
from pathlib import Path

from pitstop.cache.redis.address import Address
from pitstop.cache.redis.wire import Wire
from pitstop.errors import RedisUnavailable
from pitstop.servers.port import free_port
from pitstop.servers.process import end, wait_until
from pitstop.servers.program import find_program
from tests.orphans import unwatch, watch

SECONDS = 20.0


class OwnRedis:
    """One redis-server on a free port of the loopback interface; it keeps nothing on disk.

    Args:
        directory: its working directory; log and Unix socket lie there.
        settings: further lines of its configuration.
        program: the server; None for the wheel's.
        sentinel: whether it is a Sentinel.
    """

    def __init__(
        self,
        directory: Path,
        *,
        settings: Sequence[str] = (),
        program: Path | None = None,
        sentinel: bool = False,
        password: str | None = None,
    ) -> None:
        self.directory = directory
        self.port = free_port()
        self.password = password
        self.socket = Path("/tmp") / f"pitstop-{uuid.uuid4().hex[:12]}.sock"  # its path has 107 bytes at most
        self._program = program or find_program("redis").directory / "redis-server"
        self._sentinel = sentinel
        self._settings = list(settings)
        self._process: subprocess.Popen[bytes] | None = None
        directory.mkdir(parents=True, exist_ok=True)

    @property
    def url(self) -> str:
        user = f":{self.password}@" if self.password else ""
        return f"redis://{user}127.0.0.1:{self.port}/0"

    @property
    def address(self) -> Address:
        return Address(host="127.0.0.1", port=self.port, password=self.password)

    @property
    def pid(self) -> int:
        assert self._process is not None, "not started"
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> "OwnRedis":
        """Start the server and wait until it answers."""
        file = self.directory / "redis.conf"
        own = [] if self._sentinel else ['save ""', "appendonly no", f"unixsocket {self.socket}"]
        password = [f"requirepass {self.password}", f"masterauth {self.password}"] if self.password else []
        lines = ["bind 127.0.0.1", f"port {self.port}", f"dir {self.directory}", *own, *password]
        file.write_text("\n".join([*lines, *self._settings]) + "\n")
        with (self.directory / "redis.log").open("ab") as log:
            command = [str(self._program), str(file), *(["--sentinel"] if self._sentinel else [])]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        watch(self._process.pid)
        if not wait_until(self.answers, seconds=SECONDS):
            self.stop()
            raise RuntimeError(f"redis did not start: {(self.directory / 'redis.log').read_text()[-2000:]}")
        return self

    def stop(self, *, kill: bool = False) -> None:
        """End the server, frozen or not."""
        if self._process is not None:
            if kill:  # frozen it dies as it is, and answers nothing more
                end(self._process, [(signal.SIGKILL, 5.0)])
            self.thaw()
            end(self._process, [(signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)])
            unwatch(self._process.pid)
            self._process = None
        self.socket.unlink(missing_ok=True)

    def restart(self) -> None:
        """Kill the server and start it again, empty, on the same port."""
        self.stop(kill=True)
        self.start()

    def freeze(self) -> None:
        """Stop the process: it takes connections, by its kernel, and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen process go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)  # no error if it is gone

    def answers(self) -> bool:
        """Whether it answers a greeting."""
        try:
            self.wire().close()
        except RedisUnavailable:
            return False
        return True

    def wire(self) -> Wire:
        """A connection to it."""
        return Wire(self.address)

    def command(self, *words: str | int) -> object:
        """Send one command and give its reply."""
        wire = self.wire()
        try:
            return wire.blocking([tuple(str(word).encode() for word in words)], 5.0)[0]
        finally:
            wire.close()
