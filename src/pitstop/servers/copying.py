"""A database copied with its rows from one server to another, by pg_dump and pg_restore."""

import os
import shutil
import subprocess
import tempfile
from typing import IO

from pitstop.errors import ServerError, ServerNotFound
from pitstop.postgres.address import open_address
from pitstop.servers.program import find_program

__all__ = ["copy_database", "find_tool"]

_DUMP = ("--format=custom", "--compress=0", "--no-owner", "--no-acl", "--lock-wait-timeout=5s")
_RESTORE = ("--no-owner", "--no-acl")


def copy_database(source: str, target: str, *, timeout_s: float = 600.0) -> list[str]:
    """Copy definitions and rows, without owners and rights; the rows go through a pipe and no file.

    Args:
        source: the address of the database; it is only read, all in one transaction.
        target: that of an empty one.
        timeout_s: how long it may take.

    Returns:
        what could not be restored, as pg_restore said it: extensions that the target's server does not have,
        and what needs them.

    Raises:
        ServerNotFound: there is no pg_dump.
        ServerError: the source cannot be read, or it took too long.
    """
    with tempfile.TemporaryFile() as said:
        dump = _start("pg_dump", _DUMP, source, stdout=subprocess.PIPE, stderr=said)
        try:
            restored = _restore(target, dump, timeout_s)
            code = dump.wait(timeout=10)
        except subprocess.TimeoutExpired as error:
            raise ServerError(f"the copy took longer than {timeout_s:g} s") from error
        finally:
            dump.kill()
            dump.wait()
        if code != 0:
            said.seek(0)
            told = " ".join(said.read().decode(errors="replace").split())
            raise ServerError(f"pg_dump cannot read the database: {told[-500:]}")
    return [line for line in restored.splitlines() if "error:" in line]


def find_tool(name: str) -> str:
    """A program that comes with PostgreSQL: beside the server's, or on the PATH.

    Raises:
        ServerNotFound: there is none.
    """
    beside = find_program("postgresql").directory / name
    found = str(beside) if beside.is_file() else shutil.which(name)
    if found is None:
        raise ServerNotFound(f"there is no {name}: pip install 'pitstop[servers]', or put it on the PATH")
    return found


def _restore(target: str, dump: "subprocess.Popen[bytes]", timeout_s: float) -> str:
    """What pg_restore says; it goes on after what it cannot restore."""
    restore = _start("pg_restore", _RESTORE, target, stdin=dump.stdout, stderr=subprocess.PIPE)
    if dump.stdout is not None:
        dump.stdout.close()  # so that pg_dump notices when pg_restore has gone
    try:
        _, told = restore.communicate(timeout=timeout_s)
    finally:
        restore.kill()
        restore.wait()
    return told.decode(errors="replace")


def _start(
    program: str,
    options: tuple[str, ...],
    url: str,
    *,
    stdin: IO[bytes] | None = None,
    stdout: int | None = None,
    stderr: int | IO[bytes] | None = None,
) -> "subprocess.Popen[bytes]":
    address, secret = open_address(url)
    return subprocess.Popen(
        [find_tool(program), *options, f"--dbname={address}"],
        env={**os.environ, **secret, "PGCONNECT_TIMEOUT": "10"},
        stdin=subprocess.DEVNULL if stdin is None else stdin,
        stdout=stdout,
        stderr=stderr,
    )
