"""Quantities are set alike by every form: all or none, with what is in conflict named."""

import asyncio
import random
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from pitstop import count_queries
from pitstop_services.inventory.api import ROUTERS, create_app
from tests.services.database import ask

PREFIXES = {form: prefix for form, (prefix, _) in ROUTERS.items()}
FORMS = pytest.mark.parametrize("prefix", PREFIXES.values(), ids=PREFIXES)
ADJUSTED = (
    "SELECT store_id, product_id, quantity, unit_cost FROM transactions"
    " WHERE kind = 'adjustment' ORDER BY store_id, product_id"
)
STOCK = "SELECT store_id, product_id, quantity FROM stock ORDER BY 1, 2"


def update(store_id: int, product_id: int, quantity: int, expected: int | None = None) -> dict[str, Any]:
    return {"store_id": store_id, "product_id": product_id, "quantity": quantity, "expected": expected}


async def put(client: httpx.AsyncClient, prefix: str, *updates: dict[str, Any]) -> httpx.Response:
    return await client.put(f"{prefix}/admin/stock", json={"updates": updates})


@FORMS
async def test_what_is_set_is_there_and_written_down(
    client: httpx.AsyncClient, database_url: str, prefix: str
) -> None:
    """Quantities are as given, by how much they changed is a transaction; what stays the same is none."""
    reply = await put(client, prefix, update(6, 1, 300, expected=324), update(1, 1, 500), update(50, 1, 353))
    assert (reply.status_code, reply.json()) == (200, {"updated": 3, "changed": 2})
    assert ask(database_url, ADJUSTED) == [(1, 1, 92, None), (6, 1, -24, None)]
    for other in PREFIXES.values():
        stock = (await client.get(f"{other}/products/barcode/2000000000015")).json()["stock"]
        assert [(level["store_id"], level["quantity"]) for level in stock] == [(1, 500), (6, 300), (50, 353)]
        newest = (await client.get(f"{other}/transactions?limit=2")).json()["items"]
        assert {item["kind"] for item in newest} == {"adjustment"}
    touched = ask(database_url, "SELECT store_id FROM stock WHERE updated_at > now() - interval '1 hour'")
    assert sorted(touched) == [(1,), (6,)]


@FORMS
async def test_one_conflict_stops_all(client: httpx.AsyncClient, database_url: str, prefix: str) -> None:
    """Nothing is changed when one row is not there or not as expected, and every such row is named."""
    before = ask(database_url, STOCK)
    updates = (update(50, 1, 7, expected=352), update(1, 1, 500), update(6, 1, 5, 324), update(1, 424242, 1))
    reply = await put(client, prefix, *updates)
    assert reply.status_code == 409
    assert reply.json() == {
        "detail": "nothing was changed: 2 of 4 updates in conflict",
        "conflicts": [
            {"store_id": 1, "product_id": 424242, "expected": None, "quantity": None},
            {"store_id": 50, "product_id": 1, "expected": 352, "quantity": 353},
        ],
    }
    assert ask(database_url, STOCK) == before
    assert ask(database_url, ADJUSTED) == []


@FORMS
async def test_updates_drawn_at_random_do_what_a_dictionary_does(
    client: httpx.AsyncClient, database_url: str, prefix: str
) -> None:
    """Twenty requests that nobody made up are carried out or refused as by a dictionary of quantities."""
    draw, outcomes = random.Random(20), set()
    kept: dict[tuple[int, int], int] = {(row[0], row[1]): row[2] for row in ask(database_url, STOCK)}
    for _ in range(20):
        pairs = draw.sample([*kept, (1, 424242), (424242, 1)], draw.randrange(1, 30))
        updates = [
            update(*pair, draw.randrange(3), draw.choice((None, None, kept.get(pair, 0), kept.get(pair, 0))))
            for pair in pairs
        ]
        if draw.random() < 0.3:
            updates[0]["expected"] = draw.randrange(3)
        asked = {(each["store_id"], each["product_id"]): each for each in updates}
        refused = sorted(
            pair
            for pair, each in asked.items()
            if pair not in kept or each["expected"] not in (None, kept[pair])
        )
        changed = [pair for pair, each in asked.items() if kept.get(pair) != each["quantity"]]
        reply = await put(client, prefix, *updates)
        outcomes.add(reply.status_code)
        if refused:
            told = [(each["store_id"], each["product_id"]) for each in reply.json()["conflicts"]]
            assert (reply.status_code, told) == (409, refused)
        else:
            assert reply.json() == {"updated": len(updates), "changed": len(changed)}
            kept |= {pair: each["quantity"] for pair, each in asked.items()}
        assert {(row[0], row[1]): row[2] for row in ask(database_url, STOCK)} == kept
    assert outcomes == {200, 409}


@FORMS
@pytest.mark.parametrize(
    "updates",
    [
        [],
        [update(1, 1, -1)],
        [update(1, 1, 2**31)],
        [update(2**63, 1, 1)],
        [update(1, 1, 5), update(6, 1, 5), update(1, 1, 5)],
        [update(1, number, 5) for number in range(10_001)],
    ],
    ids=["none", "negative", "too large", "no id", "one twice", "too many"],
)
async def test_updates_that_cannot_be_are_refused(
    client: httpx.AsyncClient, prefix: str, updates: list[dict[str, Any]]
) -> None:
    """A request that makes no sense is 422 and reaches no database."""
    with count_queries() as queries:
        reply = await put(client, prefix, *updates)
    assert reply.status_code == 422
    assert queries.count == 0


@FORMS
async def test_only_the_administrator_may(app: FastAPI, client: httpx.AsyncClient, prefix: str) -> None:
    """Without the token it is 401, with another one 403, and nobody may where none is set."""
    body = {"updates": [update(1, 1, 5)]}
    path = f"{prefix}/admin/stock"
    del client.headers["Authorization"]
    reply = await client.put(path, json=body)
    assert (reply.status_code, reply.headers["www-authenticate"]) == (401, "Bearer")
    for token in ("wrong", "öffne dich"):
        headers = {"Authorization": f"Bearer {token}".encode()}
        assert (await client.put(path, json=body, headers=headers)).status_code == 403


async def test_nobody_may_where_no_token_is_set(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a token of its own the service takes none, and says what to set."""
    monkeypatch.delenv("PITSTOP_ADMIN_TOKEN", raising=False)
    app = create_app("tuned", database_url=database_url)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://inventory") as client,
    ):
        reply = await put(client, "", update(1, 1, 5))
    assert reply.status_code == 403
    assert "PITSTOP_ADMIN_TOKEN" in reply.json()["detail"]


async def test_a_tuned_update_takes_two_statements(client: httpx.AsyncClient, database_url: str) -> None:
    """Setting all that is there takes two statements, like setting one row; in conflict it takes one."""
    everything = ask(database_url, STOCK)
    for rows in (everything[:1], everything[1:]):
        updates = [update(store, product, quantity + 1, quantity) for store, product, quantity in rows]
        with count_queries() as queries:
            reply = await put(client, "", *updates)
        assert reply.json() == {"updated": len(rows), "changed": len(rows)}
        assert queries.count == 2
    with count_queries() as queries:
        assert (await put(client, "", *updates)).status_code == 409
    assert queries.count == 1
    assert sum(row[2] for row in ask(database_url, ADJUSTED)) == len(everything)


async def test_updates_at_once_wait_for_each_other(client: httpx.AsyncClient, database_url: str) -> None:
    """Of many who saw the same and write in different orders, one gets through; none ends in a deadlock."""
    rows = ask(database_url, STOCK)[:300]
    updates = [update(store, product, quantity + 1, quantity) for store, product, quantity in rows]
    turned = updates[::-1]
    replies = await asyncio.gather(*(put(client, "", *(turned if n % 2 else updates)) for n in range(8)))
    assert sorted(reply.status_code for reply in replies) == [200] + [409] * 7
    assert len(ask(database_url, ADJUSTED)) == 300
