"""The plans of the tuned forms where tables are large: no scan reads one of them for a few rows."""

import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import httpx
import pytest

from pitstop import count_queries
from pitstop.servers import Servers, create_database, create_template, drop_database
from pitstop_services.inventory.structure import barcode
from tests.services.database import ask

SCALE = 10
LARGE_PAGES = 1000
ADMIN = {"Authorization": "Bearer t"}
POST = {"title": "New", "body": "words", "tags": ["malt"]}


@dataclass(frozen=True)
class Service:
    """What is asked of a service.

    Attributes:
        forms: the tuned ones whose statements differ.
        large: its tables of more than a thousand pages.
        pages: paths; the page behind each is asked for too.
        further: the parameter that names the page behind.
        writes: method, path and body.
    """

    name: str
    forms: tuple[str, ...]
    large: frozenset[str]
    pages: tuple[str, ...]
    further: str
    writes: tuple[tuple[str, str, dict[str, Any]], ...]

    def __str__(self) -> str:
        return self.name

    def module(self, name: str) -> Any:
        return import_module(f"pitstop_services.{self.name}.{name}")


BLOG = Service(
    "blog",
    ("tuned", "read-models", "cached"),
    frozenset(("posts", "comments")),
    (
        "/posts?limit=50",
        "/posts?limit=20&offset=3200",
        "/posts/646",
        "/users/5064/posts?limit=20",
        "/users/5064/posts?limit=5&offset=40",
        "/posts/search?q=malt hop&limit=20",
        "/posts/search?q=malt&limit=20&offset=20",
        "/posts/search?q=gasoline",
    ),
    "after",
    (("POST", "/posts", {**POST, "author_id": 2}), ("PUT", "/posts/646", POST)),
)
INVENTORY = Service(
    "inventory",
    ("tuned",),
    frozenset(("transactions",)),
    (
        "/stores",
        "/inventory?limit=50",
        "/inventory?store_id=50&limit=50",
        "/products?limit=50",
        "/products?category_id=1&limit=50",
        f"/products/barcode/{barcode(747)}",
        "/transactions?limit=50",
        "/transactions?store_id=7&limit=50",
        "/transactions?from=2014-06-12&to=2014-06-13&limit=50",
        "/transactions?store_id=7&from=2014-06-12&limit=50",
    ),
    "cursor",
    (("PUT", "/admin/stock", {"updates": [{"store_id": 6, "product_id": 1, "quantity": 300}]}),),
)
SERVICES = (BLOG, INVENTORY)
FORMS = [(service, form) for service in SERVICES for form in service.forms]

Clone = Callable[[Service], str]


@pytest.fixture
def clone(pitstop_servers: Servers) -> Iterator[Clone]:
    """Makes a database of a service with large tables, for this test alone."""
    url, made = pitstop_servers.sync_database_url, []

    def make(service: Service) -> str:
        seed = service.module("seed").seed
        template = create_template(url, f"{service}_large", seed=lambda empty: seed(empty, scale=SCALE))
        made.append(f"{template}_{uuid.uuid4().hex}")
        return create_database(url, made[-1], template=template)

    yield make
    for name in made:
        drop_database(url, name)


@asynccontextmanager
async def served(
    service: Service, form: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Any]:
    """A client of a form that has connected already."""
    monkeypatch.setenv("PITSTOP_ADMIN_TOKEN", "t")
    app = service.module("api").create_app(form, database_url=url)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://here", headers=ADMIN
        ) as client,
    ):
        for page in service.pages:  # what SQLAlchemy asks a server first is not the service's
            await client.get(page, params=httpx.URL(page).params.set("limit", 1))
        yield client


async def asked(client: httpx.AsyncClient, service: Service, page: str) -> list[str]:
    """The statements of a page and of the one behind it."""
    with count_queries() as queries:
        found = (await client.get(page)).json()
        if isinstance(found, dict) and found.get("next"):
            params = httpx.URL(page).params.set(service.further, found["next"])
            assert (await client.get(page, params=params)).status_code == 200
    return [statement.text for statement in queries.statements]


async def written(client: httpx.AsyncClient, service: Service) -> list[str]:
    """The statements of all writes."""
    with count_queries() as queries:
        for method, path, body in service.writes:
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
async def test_no_large_table_is_scanned(
    clone: Clone, monkeypatch: pytest.MonkeyPatch, service: Service, form: str
) -> None:
    """Every statement of a tuned form reads large tables by an index, in PostgreSQL's own choice."""
    url = clone(service)
    assert large_tables(url) == service.large
    async with served(service, form, url, monkeypatch) as client:
        statements = {page: await asked(client, service, page) for page in service.pages}
        statements["writes"] = await written(client, service)
    assert all(statements.values())
    found = {(page, *scan) for page, each in statements.items() for one in each for scan in scans(url, one)}
    assert {table for _, table, _ in found} >= service.large
    assert {each for each in found if each[1] in service.large and each[2] == "Seq Scan"} == set()


@pytest.mark.parametrize("service", SERVICES, ids=str)
async def test_without_indexes_there_are_scans(
    clone: Clone, monkeypatch: pytest.MonkeyPatch, service: Service
) -> None:
    """The same statements scan every large table where there are nothing but keys."""
    url = clone(service)
    service.module("migrations").migrate(url, "0001")
    async with served(service, "tuned", url, monkeypatch) as client:
        statements = [one for page in service.pages for one in await asked(client, service, page)]
    found = {scan for one in statements for scan in scans(url, one)}
    assert {(table, "Seq Scan") for table in service.large} <= found


async def test_ten_thousand_updates_at_once(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten thousand rows of the inventory are set by one request of two statements."""
    url = clone(INVENTORY)
    rows = ask(url, "SELECT store_id, product_id, quantity FROM stock ORDER BY id LIMIT 10000")
    updates = [
        {"store_id": store, "product_id": product, "quantity": int(str(quantity)) + 1, "expected": quantity}
        for store, product, quantity in rows
    ]
    async with served(INVENTORY, "tuned", url, monkeypatch) as client:
        with count_queries() as queries:
            reply = await client.put("/admin/stock", json={"updates": updates})
    assert (reply.status_code, reply.json()) == (200, {"updated": 10_000, "changed": 10_000})
    assert queries.count == 2
    assert ask(url, "SELECT count(*) FROM transactions WHERE kind = 'adjustment'") == [(10_000,)]
