"""A private PostgreSQL: its cluster is made, configured, started and stopped here, by the keeper."""

import contextlib
import locale
import os
import re
import select
import shutil
import signal
import subprocess
from pathlib import Path

from pitstop.errors import ServerStartFailed
from pitstop.servers.account import Account
from pitstop.servers.port import free_port
from pitstop.servers.process import Launch, end, wait_until
from pitstop.servers.program import Program
from pitstop.servers.serverlog import ServerLog
from pitstop.servers.tuning import configuration

__all__ = ["PostgreSQL"]

INITDB_SECONDS = 180.0
START_SECONDS = 300.0  # a kept cluster may have to recover first
STOP_SECONDS = 15.0
ATTEMPTS = 8

_EXTENSIONS = ["create extension pg_trgm", "create extension pg_stat_statements"]
_ACCESS = """\
host all         all 127.0.0.1/32 scram-sha-256
host replication all 127.0.0.1/32 scram-sha-256
"""


class PostgreSQL:
    """One cluster below a directory.

    Args:
        directory: holds ``postgresql/`` (the cluster) and ``postgresql.log``.
        program: the installed server.
        account: whom it runs as; None for whoever runs this.
        temporary: nobody needs the data after this run, so durability is traded for speed.
    """

    def __init__(
        self, directory: Path, *, program: Program, account: Account | None, temporary: bool
    ) -> None:
        self._home = directory / "postgresql"
        self._program = program
        self._account = account
        self._temporary = temporary
        self._log = ServerLog(directory / "postgresql.log")
        self._process: subprocess.Popen[bytes] | None = None
        self._home_descriptor = -1

    @property
    def running(self) -> bool:
        """Whether the server is up."""
        return self._process is not None and self._process.poll() is None

    def start(self, *, password: str, port: int | None, renew: bool) -> int:
        """Bring the server up, making its cluster first if there is none.

        Args:
            password: of the superuser ``pitstop``.
            port: the port to take if it is free.
            renew: the password is another than the cluster has.

        Returns:
            the port it listens on.

        Raises:
            ServerStartFailed: it did not come up.
            OSError: the directory cannot be written.
        """
        self._claim_home()
        version = self._version()
        if not (self._home / "data").exists():
            self._make_cluster(password, version=version)
            renew = False
        self._check_version(version)
        (self._home / "data" / "postmaster.pid").unlink(missing_ok=True)  # leftovers were ended before
        if renew:
            self._execute("data", "template1", _password(password, version=version))
        for attempt in range(ATTEMPTS):
            chosen = free_port(port if attempt == 0 else None)
            if self._listen(chosen):
                return chosen
        raise ServerStartFailed(f"postgresql found no free port in {ATTEMPTS} attempts: {self._log.tail()}")

    def stop(self) -> None:
        """Shut the server down: with a checkpoint where the data is kept, at once where it is not."""
        if self._process is not None:
            fast = [] if self._temporary else [(signal.SIGINT, STOP_SECONDS)]
            end(self._process, [*fast, (signal.SIGQUIT, STOP_SECONDS), (signal.SIGKILL, STOP_SECONDS)])
            self._process = None
        if self._home_descriptor >= 0:
            os.close(self._home_descriptor)
            self._home_descriptor = -1
        self._log.close()

    def _claim_home(self) -> None:
        self._home.mkdir(mode=0o700, exist_ok=True)
        if self._account is None:
            return
        self._account.own(self._home)
        if self._home_descriptor < 0 and not self._account.can_reach([self._home]):
            self._home_descriptor = os.open(self._home, os.O_RDONLY | os.O_DIRECTORY)

    def _seen(self, name: str) -> str:
        """A path as the server sees it: by an open descriptor where a directory above is closed to it."""
        if self._home_descriptor < 0:
            return str(self._home / name)
        return f"/proc/self/fd/{self._home_descriptor}/{name}"

    def _launch(self) -> Launch:
        descriptors = [self._home_descriptor] if self._home_descriptor >= 0 else []
        return Launch(self._account, self._log.descriptor, signal.SIGQUIT, descriptors)

    def _run(self, program: str, *arguments: str, text: str = "") -> int:
        command = [str(self._program.directory / program), *arguments]
        return self._launch().run(command, directory=self._home, text=text, seconds=INITDB_SECONDS)

    def _version(self) -> int:
        executable = self._program.directory / "postgres"
        reader, writer = os.pipe()
        try:
            launch = Launch(self._account, writer, signal.SIGKILL)
            launch.run([str(executable), "--version"], directory=self._home, seconds=START_SECONDS)
            answer = (
                os.read(reader, 4096).decode(errors="replace")
                if select.select([reader], [], [], 0)[0]
                else ""
            )
        finally:
            os.close(reader)
            os.close(writer)
        found = re.search(r"PostgreSQL\) (\d+)", answer)
        if not found:
            raise ServerStartFailed(f"{executable} does not run: {answer.strip() or 'it says nothing'}")
        return int(found[1])

    def _check_version(self, version: int) -> None:
        there = (self._home / "data" / "PG_VERSION").read_text().strip()
        if there != str(version):
            raise ServerStartFailed(
                f"{self._home} belongs to postgresql {there} and this is {version}: "
                "give another directory, or dump it with the old version and delete it"
            )

    def _make_cluster(self, password: str, *, version: int) -> None:
        """Under another name until it is complete: whoever is killed half-way leaves no half cluster.

        Nothing waits for the disk here, which takes many seconds if it is busy: the system writes the
        files out by itself, and what users write later is synced as it must be.
        """
        shutil.rmtree(self._home / "unfinished", ignore_errors=True)
        self._log.mark()
        if self._initdb(_locale(version)) != 0:
            raise self._failed("initdb failed")
        data = self._home / "unfinished"
        (data / "pg_hba.conf").write_text(_ACCESS)
        (data / "postgresql.conf").write_text(configuration(port=5432, temporary=True))
        self._execute("unfinished", "template1", [*_password(password, version=version), *_EXTENSIONS])
        self._execute("unfinished", "postgres", ["create database pitstop"])
        data.rename(self._home / "data")

    def _execute(self, cluster: str, database: str, statements: list[str]) -> None:
        """Run statements in a cluster that is down."""
        self._log.mark()
        silent = ["-c", "log_min_error_statement=panic"]  # no password in the log
        target = ["--single", "-D", self._seen(cluster), *silent, database]
        status = self._run("postgres", *target, text="".join(f"{each}\n" for each in statements))
        if status != 0 or re.search(r"\b(ERROR|FATAL|PANIC):", self._log.since_mark()):
            raise self._failed("the cluster could not be prepared")

    def _initdb(self, locale_arguments: list[str]) -> int:
        fixed = ["--username=pitstop", "--auth=trust", "--encoding=UTF8", "--no-instructions", "--no-sync"]
        return self._run("initdb", "-D", self._seen("unfinished"), *fixed, *locale_arguments)

    def _listen(self, port: int) -> bool:
        """Whether the server came up; False if somebody else was faster to take the port."""
        settings = configuration(port=port, temporary=self._temporary)
        (self._home / "data" / "postgresql.conf").write_text(settings)
        self._log.mark()
        command = [str(self._program.directory / "postgres"), "-D", self._seen("data")]
        self._process = process = self._launch().start(command, directory=self._home)
        came = wait_until(lambda: process.poll() is not None or self._ready(), seconds=START_SECONDS)
        if process.poll() is None and came:
            return True
        end(process, [(signal.SIGQUIT, STOP_SECONDS), (signal.SIGKILL, STOP_SECONDS)])
        self._process = None
        if re.search("could not bind|Address already in use", self._log.since_mark()):
            return False
        raise self._failed("postgresql did not start" if came else "postgresql took too long to start")

    def _ready(self) -> bool:
        try:
            lines = (self._home / "data" / "postmaster.pid").read_text().split("\n")
        except OSError:
            return False
        return len(lines) > 7 and lines[7].strip() == "ready"

    def _failed(self, what: str) -> ServerStartFailed:
        return ServerStartFailed(f"{what}: {self._log.tail()}")


def _locale(version: int) -> list[str]:
    """UTF-8 whatever the machine's locale, and the same order everywhere.

    The builtin provider (17 and later) needs no locale of the system, but ``pg_trgm`` asks the
    system's ctype what a letter is: in C, Korean has none.
    """
    fixed = ["--locale=C", f"--lc-ctype={_ctype()}"]
    return [*fixed, "--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if version >= 17 else fixed


def _ctype() -> str:
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        for name in ("C.UTF-8", "C.utf8", "en_US.UTF-8"):
            with contextlib.suppress(locale.Error):
                return locale.setlocale(locale.LC_CTYPE, name)
        return "C"
    finally:
        locale.setlocale(locale.LC_CTYPE, before)


def _password(password: str, *, version: int) -> list[str]:
    # It is random, 192 bits: stretching it would only make every connection slow.
    rounds = ["set scram_iterations = 1"] if version >= 16 else []
    return [*rounds, f"alter role pitstop password '{password}'"]
