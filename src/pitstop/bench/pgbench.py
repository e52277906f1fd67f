"""pgbench on a private server whose settings can be changed: one side of a comparison of settings."""

import os
import re
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
from psycopg import sql

from pitstop.errors import BenchError
from pitstop.postgres.address import libpq_url, open_address
from pitstop.servers.copying import copy_database, find_tool
from pitstop.servers.private import open_servers

__all__ = ["Side"]

_PATIENCE_S = 600.0
_RATE = re.compile(r"^tps = ([\d.]+)", re.MULTILINE)


class Side:
    """A private server with data of its own, to be loaded with pgbench; a context manager.

    Its data are on disk and durable, as those of a server that serves; they are deleted at the end.
    """

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._running = ExitStack()
        self._directory = Path()
        self._url = ""
        self._settings: dict[str, str] | None = None

    def __enter__(self) -> Self:
        self._directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="pitstop-tune-")))
        self._directory.chmod(0o755)  # the server may run as another user
        self._stack.callback(self._stop)
        self._start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def fill(self, *, scale: int) -> None:
        """Make pgbench's own tables; a scale of 1 is 15 MB."""
        _run("pgbench", ["--initialize", "--quiet", f"--scale={scale}"], self._url)

    def copy(self, source: str) -> None:
        """Copy a database, without its owners and rights.

        Args:
            source: its address; it is only read.
        """
        copy_database(source, self._url, timeout_s=_PATIENCE_S)
        self._execute(["analyze"])

    def set(self, settings: dict[str, str]) -> None:
        """Run the server with these settings and no others; it is restarted, unless it has them.

        Raises:
            BenchError: it does not come up with them, or refuses one.
        """
        if settings == self._settings:
            return
        self._execute(["alter system reset all"])
        with psycopg.connect(self._url, autocommit=True) as connection:
            for name, value in settings.items():
                try:
                    connection.execute(
                        sql.SQL("alter system set {} = {}").format(sql.Identifier(name), sql.Literal(value))
                    )
                except psycopg.Error as error:
                    raise BenchError(f"{name} = {value} cannot be measured here: {error}") from error
        self._settings = dict(settings)
        self._stop()
        self._start()

    def rate(self, *, seconds: int, clients: int, script: Path | None) -> float:
        """Transactions a second under pgbench's own load, or that of a script.

        Raises:
            BenchError: pgbench fails; the message holds what it says.
        """
        load = (
            [f"--file={script}"]
            if script is not None
            else ["--builtin=tpcb-like@1", "--builtin=select-only@9"]
        )
        options = [f"--time={seconds}", f"--client={clients}", "--jobs=1", "--no-vacuum", *load]
        found = _RATE.search(_run("pgbench", options, self._url))
        if found is None:
            raise BenchError("pgbench told no rate: not one transaction ended within the time")
        return float(found[1])

    def _stop(self) -> None:
        self._running.close()

    def _start(self) -> None:
        self._running = ExitStack()
        servers = self._running.enter_context(
            open_servers(self._directory / "server", redis=False, only_private=True)
        )
        self._url = libpq_url(servers.database_url)

    def _execute(self, statements: list[str]) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            for each in statements:
                connection.execute(each.encode())


def _run(program: str, options: list[str], url: str) -> str:
    address, secret = open_address(url)
    try:
        done = subprocess.run(
            [find_tool(program), *options, address],
            env={**os.environ, **secret},
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"{program} took longer than {_PATIENCE_S:g} s") from error
    if done.returncode != 0:
        raise BenchError(f"{program} failed: {' '.join(done.stderr.split())[-500:]}")
    return done.stdout
