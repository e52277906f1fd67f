"""A PgBouncer in transaction mode in front of the database of a test, as a fixture."""

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import pytest

from tests.orphans import unwatch, watch

CONFIGURATION = """\
[databases]
* = host=127.0.0.1 port={port} password={password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own}
unix_socket_dir =
auth_type = plain
auth_file = {directory}/users
pool_mode = {mode}
default_pool_size = 3
max_client_conn = 200
"""


@pytest.fixture(params=["transaction"])
def pooled_url(sync_database_url: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of the test's database behind PgBouncer, without a driver: ``postgresql://...``."""
    program = shutil.which("pgbouncer")
    if program is None:
        pytest.skip("there is no pgbouncer on the PATH")
    parts = urlsplit(sync_database_url)
    with TemporaryDirectory(prefix="pitstop-pgbouncer-") as name:
        directory = Path(name)
        own = free_port()
        (directory / "users").write_text(f'"{parts.username}" "{parts.password}"\n')
        file = directory / "pgbouncer.ini"
        file.write_text(
            CONFIGURATION.format(
                port=parts.port, password=parts.password, own=own, directory=directory, mode=request.param
            )
        )
        process = subprocess.Popen([program, "-q", *as_nobody(directory), str(file)])
        watch(process.pid)
        try:
            wait_for(own, process)
            yield f"postgresql://{parts.username}:{parts.password}@127.0.0.1:{own}{parts.path}"
        finally:
            process.terminate()
            process.wait(30)
            unwatch(process.pid)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def as_nobody(directory: Path) -> list[str]:
    """PgBouncer refuses to run as root."""
    if os.getuid() != 0:
        return []
    nobody = pwd.getpwnam("nobody")
    for path in (directory, *directory.iterdir()):
        os.chown(path, nobody.pw_uid, nobody.pw_gid)
    return ["-u", "nobody"]


def wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail(f"pgbouncer did not listen on port {port} within 30 s; exit code {process.poll()}")
