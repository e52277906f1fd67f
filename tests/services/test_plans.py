"""The plans of the tuned forms where tables are large: no scan reads one of them for a few rows."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from pitstop import count_queries
from tests.services.conftest import Clone
from tests.services.database import ask
from tests.services.service import ADMIN_TOKEN, SERVICES, Service

SCALE = 10
LARGE_PAGES = 1000
FORMS = [(service, form) for service in SERVICES for form in service.asked.FORMS]
INVENTORY = Service("inventory")


@pytest.fixture(autouse=True)
def admin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PITSTOP_ADMIN_TOKEN", ADMIN_TOKEN)


@asynccontextmanager
async def connected(service: Service, form: str, url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a form that has asked already what SQLAlchemy asks a server first."""
    async with service.client(url, form=form) as client:
        for page in service.asked.PAGES:
            await client.get(page, params=httpx.URL(page).params.set("limit", 1))
        yield client


async def asked(client: httpx.AsyncClient, service: Service, page: str) -> list[str]:
    """The statements of a page and of the one behind it."""
    with count_queries() as queries:
        found = (await client.get(page)).json()
        if isinstance(found, dict) and found.get("next"):
            params = httpx.URL(page).params.set(service.asked.CURSOR, found["next"])
            assert (await client.get(page, params=params)).status_code == 200
    return [statement.text for statement in queries.statements]


async def written(client: httpx.AsyncClient, service: Service) -> list[str]:
    """The statements of all writes."""
    with count_queries() as queries:
        for method, path, body in service.asked.WRITES:
            assert (await client.request(method, path, json=body)).is_success
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


@pytest.mark.parametrize(("service", "form"), FORMS, ids=str)
async def test_no_large_table_is_scanned(clone: Clone, service: Service, form: str) -> None:
    """Every statement of a tuned form reads large tables by an index, in PostgreSQL's own choice."""
    url = clone(service, scale=SCALE)
    assert large_tables(url) == service.asked.LARGE
    async with connected(service, form, url) as client:
        statements = {page: await asked(client, service, page) for page in service.asked.PAGES}
        statements["writes"] = await written(client, service)
    assert all(statements.values())
    found = {(page, *scan) for page, each in statements.items() for one in each for scan in scans(url, one)}
    assert {table for _, table, _ in found} >= service.asked.LARGE
    assert {each for each in found if each[1] in service.asked.LARGE and each[2] == "Seq Scan"} == set()


@pytest.mark.parametrize("service", SERVICES, ids=str)
async def test_without_indexes_there_are_scans(clone: Clone, service: Service) -> None:
    """The same statements scan every large table where there are nothing but keys."""
    url = clone(service, scale=SCALE)
    service.module("migrations").migrate(url, "0001")
    async with connected(service, "tuned", url) as client:
        statements = [one for page in service.asked.PAGES for one in await asked(client, service, page)]
    found = {scan for one in statements for scan in scans(url, one)}
    assert {(table, "Seq Scan") for table in service.asked.LARGE} <= found


async def test_ten_thousand_updates_at_once(clone: Clone) -> None:
    """Ten thousand rows of the inventory are set by one request of two statements."""
    url = clone(INVENTORY, scale=SCALE)
    rows = ask(url, "SELECT store_id, product_id, quantity FROM stock ORDER BY id LIMIT 10000")
    updates = [
        {"store_id": store, "product_id": product, "quantity": int(str(quantity)) + 1, "expected": quantity}
        for store, product, quantity in rows
    ]
    async with connected(INVENTORY, "tuned", url) as client:
        with count_queries() as queries:
            reply = await client.put("/admin/stock", json={"updates": updates})
    assert (reply.status_code, reply.json()) == (200, {"updated": 10_000, "changed": 10_000})
    assert queries.count == 2
    assert ask(url, "SELECT count(*) FROM transactions WHERE kind = 'adjustment'") == [(10_000,)]
