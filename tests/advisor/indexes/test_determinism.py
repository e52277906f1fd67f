"""The same question gets the same answer, whatever the order of Python's sets."""

import os
import subprocess
import sys

import pytest

from pitstop.servers import Servers
from tests.advisor.indexes.test_kinds import KINDS

PROGRAM = """
import os
import sys
from dataclasses import asdict
from pathlib import Path
from pitstop.advisor.indexes import WorkloadStatement, advise
from pitstop.advisor.whatif import open_whatif
from pitstop.servers.private import Servers

url, directory = os.environ["DATABASE"], sys.argv[1]
private = frozenset(["postgresql"])
servers = Servers(database_url=url, redis_url=None, directory=Path(directory), private=private)
statements = [WorkloadStatement(text, weight) for weight, text in enumerate(sys.argv[2:], 1)]
with open_whatif(url, servers=servers) as whatif:
    print(asdict(advise(whatif, statements)))
"""


def advice(url: str, servers: Servers, seed: int) -> str:
    command = [
        sys.executable,
        "-c",
        PROGRAM,
        str(servers.directory),
        *(each for each, _ in KINDS.values()),
    ]
    environ = {**os.environ, "PYTHONHASHSEED": str(seed), "DATABASE": url}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=170, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def compare(url: str, servers: Servers, seeds: range) -> None:
    if "postgresql" not in servers.private:
        pytest.skip("the copies are made on the servers of the test run, which must be private")
    assert len({advice(url, servers, seed) for seed in seeds}) == 1


def test_hash_seeds(sync_database_url: str, pitstop_servers: Servers) -> None:
    """Three hash seeds give the same advice to the last byte."""
    compare(sync_database_url, pitstop_servers, range(3))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_twenty_hash_seeds(sync_database_url: str, pitstop_servers: Servers) -> None:
    """Twenty hash seeds do, too."""
    compare(sync_database_url, pitstop_servers, range(20))
