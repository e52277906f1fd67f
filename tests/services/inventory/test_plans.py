"""The plans of the tuned form at the scale of the load: no scan reads a large table for a few rows."""

import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from pitstop import count_queries
from pitstop.servers import Servers, create_database, create_template, drop_database
from pitstop_services.inventory.api import create_app
from pitstop_services.inventory.forms import DEFAULT_SCALE
from pitstop_services.inventory.migrations import migrate
from pitstop_services.inventory.seed import seed
from pitstop_services.inventory.structure import barcode
from tests.services.database import ask

LARGE_PAGES = 1000
PATHS = [
    "/inventory?limit=50",
    "/inventory?store_id=50&limit=50",
    "/products?limit=50",
    "/products?category_id=1&limit=50",
    f"/products/barcode/{barcode(747)}",
    "/transactions?limit=50",
    "/transactions?store_id=7&limit=50",
    "/transactions?from=2014-06-12&to=2014-06-13&limit=50",
    "/transactions?store_id=7&from=2014-06-12&limit=50",
]


@pytest.fixture
def large_url(pitstop_servers: Servers) -> Iterator[str]:
    url = pitstop_servers.sync_database_url
    template = create_template(url, "inventory_large", seed=lambda empty: seed(empty, scale=DEFAULT_SCALE))
    name = f"{template}_{uuid.uuid4().hex}"
    yield create_database(url, name, template=template)
    drop_database(url, name)


@pytest.fixture
async def large(large_url: str) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app("tuned", database_url=large_url, admin_token="t")
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://inventory") as client,
    ):
        yield client


async def asked(client: httpx.AsyncClient, path: str) -> list[str]:
    """The statements of a page and of the one behind it."""
    params = httpx.URL(path).params
    await client.get(path)
    with count_queries() as queries:
        page = (await client.get(path)).json()
        if page.get("next"):
            await client.get(path, params=params.set("cursor", page["next"]))
    return [statement.text for statement in queries.statements]


def scans(url: str, statement: str) -> list[tuple[str, str]]:
    """How each table in the plan of a statement is read, whatever its parameters are."""
    ((plan,),) = ask(url, f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {statement.replace(':', chr(92) + ':')}")
    nodes: list[Any] = [plan[0]["Plan"]]
    for node in nodes:
        nodes.extend(node.get("Plans", ()))
    return [(node["Relation Name"], node["Node Type"]) for node in nodes if "Relation Name" in node]


def large_tables(url: str) -> set[str]:
    """The tables of more than a thousand pages."""
    found = ask(url, f"SELECT relname FROM pg_class WHERE relkind = 'r' AND relpages > {LARGE_PAGES}")
    return {str(name) for (name,) in found}


@pytest.mark.parametrize("path", PATHS)
async def test_no_large_table_is_scanned(large: httpx.AsyncClient, large_url: str, path: str) -> None:
    """A page, the page behind it and a look-up read large tables by an index, in PostgreSQL's own choice."""
    assert large_tables(large_url) == {"transactions"}
    statements = await asked(large, path)
    found = [scan for statement in statements for scan in scans(large_url, statement)]
    assert found
    assert [scan for scan in found if scan == ("transactions", "Seq Scan")] == []
    assert [scan for scan in found if scan == ("stock", "Seq Scan")] == []


async def test_ten_thousand_updates_at_once(large: httpx.AsyncClient, large_url: str) -> None:
    """Ten thousand rows are set by one request of two statements, which read the stock by its index."""
    rows = ask(large_url, "SELECT store_id, product_id, quantity FROM stock ORDER BY id LIMIT 10000")
    updates = [
        {"store_id": store, "product_id": product, "quantity": int(str(quantity)) + 1, "expected": quantity}
        for store, product, quantity in rows
    ]
    headers = {"Authorization": "Bearer t"}
    with count_queries() as queries:
        reply = await large.put("/admin/stock", json={"updates": updates}, headers=headers)
    assert (reply.status_code, reply.json()) == (200, {"updated": 10_000, "changed": 10_000})
    assert queries.count == 2
    assert ask(large_url, "SELECT count(*) FROM transactions WHERE kind = 'adjustment'") == [(10_000,)]


async def test_without_indexes_there_are_scans(empty_url: str) -> None:
    """The same statements scan the transactions and the stock where there are nothing but keys."""
    migrate(empty_url, "0001")
    seed(empty_url)
    app = create_app("tuned", database_url=empty_url)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://inventory") as client,
    ):
        statements = [*await asked(client, PATHS[5]), *await asked(client, PATHS[1])]
    found = {scan for statement in statements for scan in scans(empty_url, statement)}
    assert {("transactions", "Seq Scan"), ("stock", "Seq Scan")} <= found
