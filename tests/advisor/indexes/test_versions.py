"""Databases on older versions of PostgreSQL, where this machine has one."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from pitstop.advisor.indexes import WorkloadStatement, advise
from pitstop.advisor.whatif import open_whatif
from pitstop.servers import Servers
from pitstop.servers.account import server_account
from pitstop.servers.postgresql import PostgreSQL
from pitstop.servers.program import Program
from tests.advisor.indexes.conftest import fill
from tests.advisor.indexes.test_whatif import STATEMENTS

OLDER = sorted(
    path for path in Path("/usr/lib/postgresql").glob("*/bin") if re.fullmatch(r"1[3-7]", path.parent.name)
)
PARAMETERS = re.compile(r"\$\d")


@pytest.fixture
def older(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The shop on the oldest version that is installed."""
    if not OLDER:
        pytest.skip("no PostgreSQL 13 to 17 is installed below /usr/lib/postgresql")
    directory = tmp_path_factory.mktemp("older")
    os.chmod(directory, 0o711)
    program = Program("postgresql", OLDER[0], OLDER[0])
    server = PostgreSQL(directory, program=program, account=server_account(), temporary=True)
    try:
        port = server.start(password="older", port=None, renew=True)
        url = f"postgresql://pitstop:older@127.0.0.1:{port}/pitstop"
        fill(url)
        yield url
    finally:
        server.stop()


def test_an_older_version(older: str, pitstop_servers: Servers) -> None:
    """Plans come out as there, and advice is found."""
    servers = pitstop_servers if "postgresql" in pitstop_servers.private else None
    statements = [each for each in STATEMENTS if not PARAMETERS.search(each)]
    with open_whatif(older, servers=servers) as whatif, psycopg.connect(older) as connection:
        ratios = []
        for each in statements:
            row = connection.execute(f"EXPLAIN (FORMAT JSON) {each}").fetchone()  # type: ignore[call-overload]
            assert row is not None
            ratios.append(whatif.plan(each)["Total Cost"] / row[0][0]["Plan"]["Total Cost"])
        near = [each for each in ratios if 0.99 <= each <= 1.01]
        assert len(near) >= 0.9 * len(statements), ratios
        advice = advise(whatif, [WorkloadStatement("SELECT * FROM orders WHERE user_id = 7")])
    assert [each.ddl for each in advice.indexes] == ["CREATE INDEX CONCURRENTLY ON public.orders (user_id)"]
