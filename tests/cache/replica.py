"""A PostgreSQL with a streaming replica, which a test may hold up."""

import shutil
import tempfile
from pathlib import Path

import psycopg
import pytest

from pitstop.servers.account import Account, server_account
from pitstop.servers.home import PREFIX
from pitstop.servers.postgresql import PostgreSQL
from pitstop.servers.process import wait_until
from pitstop.servers.program import Program, find_program
from tests.orphans import unwatch, watch

SECONDS = 60.0
PASSWORD = "replica"


class _Standby(PostgreSQL):
    """A server whose cluster is a copy of another's, and follows it."""

    primary_url: str = ""

    def _make_cluster(self, password: str, *, version: int) -> None:
        target = ["-D", self._seen("data"), "-d", self.primary_url]
        if self._run("pg_basebackup", *target, "-R", "-X", "stream", "-c", "fast", "--no-sync") != 0:
            raise self._failed("pg_basebackup failed")


class Replicated:
    """A primary and its replica, on free ports of the loopback interface; :meth:`stop` deletes them."""

    def __init__(self) -> None:
        program, account = find_program("postgresql"), server_account()
        if account is not None and not account.can_reach(program.executables):
            pytest.skip(f"user {account.name} cannot run {program.directory}: no replica is tested here")
        self._directory = Path(tempfile.mkdtemp(prefix=PREFIX))
        self._directory.chmod(0o711)
        self._pids: list[int] = []
        self._primary = self._server(PostgreSQL, program, account)
        self._standby = self._server(_Standby, program, account)

    def _server(self, kind: type[PostgreSQL], program: Program, account: Account | None) -> PostgreSQL:
        directory = self._directory / kind.__name__
        directory.mkdir()
        directory.chmod(0o711)
        return kind(directory, program=program, account=account, temporary=True)

    def start(self) -> "Replicated":
        """Start both; the replica follows when this returns."""
        self.primary_url = _url(self._primary.start(password=PASSWORD, port=None, renew=False))
        assert isinstance(self._standby, _Standby)
        self._standby.primary_url = self.primary_url
        self.replica_url = _url(self._standby.start(password=PASSWORD, port=None, renew=False))
        self._pids = [
            int(
                (self._directory / kind.__name__ / "postgresql" / "data" / "postmaster.pid")
                .read_text()
                .split("\n")[0]
            )
            for kind in (_Standby, PostgreSQL)
        ]
        for pid in self._pids:
            watch(pid)
        self.follow()
        return self

    def stop(self) -> None:
        """Stop both and delete what they wrote."""
        self._standby.stop()
        self._primary.stop()
        for pid in self._pids:
            unwatch(pid)
        shutil.rmtree(self._directory, ignore_errors=True)

    def hold(self) -> None:
        """Let the replica replay nothing from now on."""
        _ask(self.replica_url, "select pg_wal_replay_pause()")
        paused = "select pg_get_wal_replay_pause_state() = 'paused'"
        assert wait_until(lambda: _ask(self.replica_url, paused), seconds=SECONDS), "replay was not paused"

    def follow(self) -> None:
        """Let the replica replay, and wait until it has all that the primary has."""
        _ask(self.replica_url, "select pg_wal_replay_resume()")
        position = _ask(self.primary_url, "select pg_current_wal_insert_lsn()")
        there = f"select pg_last_wal_replay_lsn() >= '{position}'"
        assert wait_until(lambda: _ask(self.replica_url, there), seconds=SECONDS), "the replica is behind"


def _url(port: int) -> str:
    return f"postgresql://pitstop:{PASSWORD}@127.0.0.1:{port}/pitstop"


def _ask(url: str, query: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(query).fetchone()
    return row[0] if row else None
