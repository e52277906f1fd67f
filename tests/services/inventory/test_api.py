"""Every form of the inventory answers alike; the tuned one with one statement."""

import itertools
import random
from typing import Any

import httpx
import pytest

from pitstop import count_queries
from pitstop_services.inventory.api import ROUTERS
from pitstop_services.inventory.schemas import ProductDetail, ProductPage, StockPage, TransactionPage
from pitstop_services.inventory.structure import barcode
from tests.services.inventory.asked import told

PREFIXES = {form: prefix for form, (prefix, _) in ROUTERS.items()}


async def answers(client: httpx.AsyncClient, path: str) -> dict[str, tuple[int, Any]]:
    """What each form says to a path."""
    return {form: told(await client.get(prefix + path)) for form, prefix in PREFIXES.items()}


async def pages(client: httpx.AsyncClient, path: str) -> list[list[Any]]:
    """The items of all pages, in order."""
    found, cursor = [], ""
    while cursor is not None:
        page = (
            await client.get(path, params=httpx.URL(path).params.merge({"cursor": cursor} if cursor else {}))
        ).json()
        found.append(page["items"])
        cursor = page["next"]
    return found


async def test_forms_agree_on_what_is_drawn_at_random(client: httpx.AsyncClient) -> None:
    """The forms agree on thirty stores, days and products that nobody picked by hand."""
    draw = random.Random(7)
    for _ in range(30):
        store, day, limit = draw.choice((1, 6, 7, 50, 60)), draw.randrange(1, 31), draw.randrange(1, 40)
        path = draw.choice(
            [
                f"/inventory?store_id={store}&limit={limit}",
                f"/products?category_id={draw.choice((1, 2, 3, 4, 101, 112, 126))}&limit={limit}",
                f"/products/barcode/{barcode(draw.randrange(1, 1000))}",
                f"/transactions?store_id={store}&from=2014-05-{day:02}&limit={limit}",
            ]
        )
        found = await answers(client, path)
        assert all(each == found["naive"] for each in found.values()), path


@pytest.mark.parametrize(
    "path", ["/inventory?store_id=50&limit=40", "/products?limit=100", "/inventory?limit=100"]
)
async def test_pages_cover_everything_once(client: httpx.AsyncClient, path: str) -> None:
    """Following `next` visits every row once, page for page the same in every form."""
    naive, tuned = await pages(client, "/naive" + path), await pages(client, path)
    assert tuned == naive
    rows = [tuple(item.values()) for page in tuned for item in page]
    assert len(set(map(str, rows))) == len(rows)
    assert len(rows) in (251, 504, 1069)


async def test_pages_of_transactions_go_on_within_a_moment(client: httpx.AsyncClient) -> None:
    """The transactions of a day, newest first, are all there, whatever the size of a page."""
    path = "/transactions?from=2014-06-12&to=2014-06-13&limit="
    small, large = await pages(client, f"{path}7"), await pages(client, f"{path}100")
    items = list(itertools.chain(*small))
    assert items == list(itertools.chain(*large))
    assert items == list(itertools.chain(*await pages(client, f"/naive{path}100")))
    keys = [(item["created_at"], item["id"]) for item in items]
    assert keys == sorted(keys, reverse=True)


async def test_answers_fit_their_documented_models(client: httpx.AsyncClient) -> None:
    """The JSON that PostgreSQL makes is what the response models describe."""
    models = {
        "/inventory?limit=100": StockPage,
        "/products?limit=100": ProductPage,
        f"/products/barcode/{barcode(1)}": ProductDetail,
        "/transactions?limit=100": TransactionPage,
    }
    for path, model in models.items():
        reply = await client.get(path)
        assert reply.headers["content-type"] == "application/json"
        assert model.model_validate_json(reply.content).model_dump(mode="json") == reply.json()


@pytest.mark.parametrize("path", ["/inventory", "/inventory?store_id=50", "/products", "/transactions"])
async def test_tuned_pages_take_one_statement(client: httpx.AsyncClient, path: str) -> None:
    """A tuned page is one statement, whether it has one row or a hundred, is the first or the next."""
    counts = []
    for limit in (1, 20, 100):
        params = httpx.URL(path).params.set("limit", limit)
        with count_queries() as queries:
            page = (await client.get(path, params=params)).json()
            await client.get(path, params=params.set("cursor", page["next"]))
        counts.append(queries.count)
    assert counts == [2, 2, 2]


@pytest.mark.parametrize("product", [1, 747, 897, 424242])
async def test_a_tuned_look_up_takes_one_statement(client: httpx.AsyncClient, product: int) -> None:
    """A product takes one statement, whether it lies in three stores or in none, or is not there."""
    with count_queries() as queries:
        await client.get(f"/products/barcode/{barcode(product)}")
    assert queries.count == 1


async def test_a_naive_page_takes_a_statement_a_row(client: httpx.AsyncClient) -> None:
    """The naive page of a store takes one statement, one for the store, and one for each product."""
    with count_queries() as queries:
        page = (await client.get("/naive/inventory?store_id=6&limit=100")).json()
    products = {item["product_id"] for item in page["items"]}
    categories = {item["category_name"] for item in page["items"]} - {None}
    assert queries.count == 2 + len(products) + len(categories)
    assert ("Stock", "product") in {(each.parent, each.relationship) for each in queries.n_plus_one}


async def test_naive_pages_with_peer_loading_take_few(client: httpx.AsyncClient) -> None:
    """The same endpoints with peer loading: a statement for each relation, whatever the limit."""
    counts = []
    for limit in (20, 50, 100):
        with count_queries() as queries:
            await client.get(f"/naive-peers/products?limit={limit}")
        counts.append(queries.count)
        assert not queries.n_plus_one
    assert counts == [4, 4, 4]
