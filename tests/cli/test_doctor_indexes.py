"""The command `pitstop doctor` on the naive databases of two services: what an expert finds, and its cure."""

import asyncio
import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from fastapi import FastAPI
from sqlalchemy import make_url

from pitstop import Pitstop
from pitstop.postgres.address import libpq_url, psycopg_url
from pitstop.servers import Servers, create_database, create_template, drop_database
from pitstop_services.blog.api import create_app as create_blog
from pitstop_services.blog.seed import seed as seed_blog
from pitstop_services.inventory.api import create_app as create_inventory
from pitstop_services.inventory.seed import seed as seed_inventory
from tests.cli.process import run

TIMES = 4  # how often each page is opened
PAGES = {
    "blog": ["/posts?limit=20", "/posts/7", "/users/5/posts"],
    "inventory": [
        "/inventory?store_id=7&limit=50",
        "/products?limit=50",
        "/transactions?limit=50",
        "/transactions?store_id=7&limit=50",
    ],
}
CREATE: dict[str, Callable[..., FastAPI]] = {"blog": create_blog, "inventory": create_inventory}
SEED: dict[str, Callable[..., int]] = {"blog": seed_blog, "inventory": seed_inventory}
EXPECTED = {
    "blog": {"public.posts (created_at DESC, id DESC)", "public.comments (post_id)"},
    "inventory": {"public.transactions (created_at DESC, id DESC)", "public.stock (product_id)"},
}
ABOUT_INDEXES = {"missing-index", "unindexed-foreign-key"}


@dataclass(frozen=True, slots=True)
class Observed:
    """A naive service that was used: its name, its database, and the directory of its record."""

    service: str
    url: str
    store: Path


@pytest.fixture(params=["blog", "inventory"])
def observed(request: pytest.FixtureRequest, pitstop_servers: Servers, tmp_path: Path) -> Iterator[Observed]:
    """A service on tables with nothing but keys, whose pages were opened under observation."""
    with used(request.param, "naive", pitstop_servers, tmp_path / "record", revision="0001") as found:
        yield found


@contextmanager
def used(service: str, form: str, servers: Servers, store: Path, *, revision: str) -> Iterator[Observed]:
    server = servers.sync_database_url
    template = create_template(
        server, f"{form}_{service}", seed=lambda empty: SEED[service](empty, revision=revision)
    )
    name = f"doctor_{uuid.uuid4().hex[:16]}"
    url = psycopg_url(create_database(server, name, template=template))
    app = CREATE[service](form, database_url=url)
    with Pitstop(app, store=store):
        asyncio.run(open_pages(app, PAGES[service]))
    yield Observed(service, url, store)
    drop_database(server, name)


async def open_pages(app: FastAPI, paths: list[str]) -> None:
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://service", timeout=60) as client,
    ):
        for path in paths * TIMES:
            (await client.get(path)).raise_for_status()


def findings(observed: Observed, *options: str) -> list[dict[str, Any]]:
    _, out, err = run("doctor", observed.url, "--store", str(observed.store), "--json", *options)
    assert err == ""
    found: list[dict[str, Any]] = json.loads(out)["findings"]
    return found


def test_missing_indexes_are_found_and_made(observed: Observed) -> None:
    """Each has its gain, route and line; what doctor prints, apply makes, and then doctor finds no more."""
    found = findings(observed)
    missing = [each for each in found if each["rule"] == "missing-index"]
    assert EXPECTED[observed.service] <= {each["subject"] for each in missing}
    for each in missing:
        (index,) = each["indexes"]
        assert index["gains"][0]["cost_after"] < index["gains"][0]["cost_before"]
        assert index["gains"][0]["scope"].startswith("GET /")
        assert each["location"][0].endswith("naive.py")
        assert index["ddl"] in each["cure"]
    assert any(each["rule"] == "n-plus-one" for each in found)

    code, _, err = run(
        "apply", observed.url, "--indexes", "-", "--apply", typed=json.dumps({"findings": found})
    )
    assert (code, err) == (0, "")
    assert {each["rule"] for each in findings(observed)} & ABOUT_INDEXES == set()


def test_the_advice_of_indexes_is_the_cure(observed: Observed) -> None:
    """What `pitstop indexes --json` says and `pitstop apply` makes leaves doctor nothing to say of them."""
    _, advice, _ = run("indexes", observed.url, "--store", str(observed.store), "--json")
    code, _, err = run("apply", observed.url, "--indexes", "-", "--apply", typed=advice)
    assert (code, err) == (0, "")
    left = [each for each in findings(observed) if each["severity"] != "info"]
    assert {each["rule"] for each in left} & {*ABOUT_INDEXES, "sequential-scan"} == set()


def test_a_person_reads_gain_and_price(observed: Observed) -> None:
    """Gain, price, cure and the next command stand there; nothing on stderr, which is no terminal."""
    code, out, err = run("doctor", observed.url, "--store", str(observed.store))
    assert (code, err) == (1, "")
    for part in (
        "[missing-index]",
        "     gain      ",
        "     price     ",
        "kB, ",
        "pitstop apply DSN --indexes -",
    ):
        assert part in out


def test_it_can_be_left_out(observed: Observed) -> None:
    """--no-indexes leaves foreign keys as they were told before."""
    rules = {each["rule"] for each in findings(observed, "--no-indexes")}
    assert "missing-index" not in rules
    assert "unindexed-foreign-key" in rules


@pytest.fixture
def stranger(observed: Observed) -> Iterator[str]:
    """The address of the same database for a user who may read none of its tables."""
    name, url = f"stranger_{uuid.uuid4().hex[:16]}", make_url(observed.url)
    with psycopg.connect(libpq_url(observed.url), autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{name}'")
        yield url.set(username=name, password=name).render_as_string(hide_password=False)
        connection.execute(f"DROP ROLE {name}")


@pytest.mark.parametrize("observed", ["inventory"], indirect=True)
def test_where_the_advisor_cannot_run(observed: Observed, stranger: str) -> None:
    """Tables that may not be copied: one line says so, and the findings stand as without the advisor."""
    code, out, err = run("doctor", stranger, "--store", str(observed.store), "--json")
    rules = {each["rule"] for each in json.loads(out)["findings"]}
    assert code == 1
    assert "unindexed-foreign-key" in rules
    assert "missing-index" not in rules
    assert (err.count("\n"), err.startswith("pitstop: no index advice: pg_dump cannot read")) == (1, True)


@pytest.mark.parametrize("service", ["blog", "inventory"])
def test_a_tuned_service_is_left_alone(service: str, pitstop_servers: Servers, tmp_path: Path) -> None:
    """Nothing worse than an info is said of the tuned form; how fast this machine is does not count."""
    patient = {"PITSTOP_SLOW_REQUEST_MS": "60000", "PITSTOP_SLOW_STATEMENT_MS": "60000"}
    with used(service, "tuned", pitstop_servers, tmp_path / "record", revision="head") as tuned:
        code, out, err = run("doctor", tuned.url, "--store", str(tuned.store), "--json", **patient)
    worse = [each for each in json.loads(out)["findings"] if each["severity"] != "info"]
    assert (worse, code, err) == ([], 0, "")
