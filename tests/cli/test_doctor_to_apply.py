"""From a naive service on large tables to plans like those of its tuned migrations, by the commands alone."""

import asyncio
import json
import uuid
from collections.abc import Collection, Iterator
from pathlib import Path

import psycopg
import pytest

from pitstop import Pitstop
from pitstop.advisor.plans import plan_observed
from pitstop.postgres.address import libpq_url, psycopg_url
from pitstop.postgres.explain import Node, Plan
from pitstop.servers import Servers, create_database, create_template, drop_database
from pitstop.store import read_store
from tests.cli.process import run
from tests.cli.test_doctor_indexes import CREATE, PAGES, SEED, Observed, findings, open_pages

SCALES = {"blog": 3, "inventory": 10}  # the least that gives a table of more than LARGE_PAGES
MORE_PAGES = {"blog": [], "inventory": ["/transactions?limit=50&from=2014-01-01&to=2014-02-01"]}
LARGE_PAGES = 1_000
FEW = 0.1


@pytest.fixture(params=["blog", "inventory"])
def used(request: pytest.FixtureRequest, pitstop_servers: Servers, tmp_path: Path) -> Iterator[Observed]:
    """A naive service on large tables with nothing but keys, whose pages were opened under observation."""
    service: str = request.param
    with_keys = _database(pitstop_servers, service, revision="0001")
    app = CREATE[service]("naive", database_url=with_keys)
    with Pitstop(app, store=tmp_path / "record"):
        asyncio.run(open_pages(app, [*PAGES[service], *MORE_PAGES[service]]))
    yield Observed(service, with_keys, tmp_path / "record")
    _drop(pitstop_servers, with_keys)


@pytest.fixture
def tuned_url(used: Observed, pitstop_servers: Servers) -> Iterator[str]:
    """The same rows with the indexes of the service's own migrations."""
    url = _database(pitstop_servers, used.service, revision="head")
    yield url
    _drop(pitstop_servers, url)


def _database(servers: Servers, service: str, *, revision: str) -> str:
    server = servers.sync_database_url
    template = create_template(
        server,
        f"large_{service}_{revision}",
        seed=lambda empty: SEED[service](empty, scale=SCALES[service], revision=revision),
    )
    name = f"to_apply_{uuid.uuid4().hex[:16]}"
    return psycopg_url(create_database(server, name, template=template))


def _drop(servers: Servers, url: str) -> None:
    drop_database(servers.sync_database_url, url.rpartition("/")[2])


def plans(used: Observed, url: str, *, but: Collection[str] = ()) -> dict[str, Plan]:
    """The plans in a database of what the naive service asked, but for statements of some fingerprints."""
    planned = plan_observed(url, read_store(used.store))
    return {each.text: each.plan for each in planned if not each.fingerprints & {*but}}


def large_tables(url: str) -> dict[str, float]:
    """The rows of the tables of more than a thousand pages."""
    with psycopg.connect(libpq_url(url)) as connection:
        found = connection.execute(
            "SELECT relname, reltuples FROM pg_class"
            " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relpages > %s",
            [LARGE_PAGES],
        )
        return {str(name): float(rows) for name, rows in found}


def wasteful(used: Observed, url: str) -> list[Node]:
    """The scans that read a whole large table for less than a tenth of its rows."""
    large = large_tables(url)
    assert large
    return [
        node
        for plan in plans(used, url).values()
        for node in plan.nodes()
        if node.node_type == "Seq Scan"
        and node.table in large
        and (node.estimated_rows or 0.0) < FEW * large[node.table]
    ]


@pytest.mark.slow
def test_doctor_and_apply_bring_the_tuned_state(used: Observed, tuned_url: str) -> None:
    """What doctor prints, apply makes; then none is missing, and no plan costs more than the tuned one.

    But for statements that bring far too many rows: their cure is another statement, which doctor says.
    """
    assert wasteful(used, used.url)
    found = findings(used)
    assert "missing-index" in {each["rule"] for each in found}

    code, _, err = run("apply", used.url, "--indexes", "-", "--apply", typed=json.dumps({"findings": found}))
    assert (code, err) == (0, "")

    assert [each for each in findings(used) if each["rule"] == "missing-index"] == []
    assert wasteful(used, used.url) == []
    too_large = [each["fingerprint"] for each in found if each["rule"] == "large-result"]
    applied, tuned = plans(used, used.url, but=too_large), plans(used, tuned_url, but=too_large)
    assert applied.keys() == tuned.keys()
    costs = {text: (plan.root.total_cost, tuned[text].root.total_cost) for text, plan in applied.items()}
    assert {text: cost for text, cost in costs.items() if cost[0] > 1.1 * cost[1] + 10} == {}
