"""The inventory's bulk update: naive on its database with keys only, tuned on its own with indexes."""

import asyncio
import statistics
import time
from contextlib import AsyncExitStack
from typing import Any

import httpx

from pitstop import count_queries
from pitstop.servers import create_database, private_servers
from pitstop_services.inventory.api import create_app
from pitstop_services.inventory.forms import DEFAULT_SCALE, FORMS
from pitstop_services.inventory.seed import migrate, seed

ROUNDS = 3
SIZES = {"naive": (300,), "tuned": (300, 10_000)}  # rows of a request; naive would take minutes for all


async def everything(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    """All stock there is, a page at a time."""
    items: list[dict[str, Any]] = []
    params: dict[str, Any] = {"limit": 100}
    while True:
        page = (await client.get("/inventory", params=params)).json()
        items += page["items"]
        if page["next"] is None:
            return items
        params["cursor"] = page["next"]


async def update(client: httpx.AsyncClient, items: list[dict[str, Any]]) -> tuple[float, int]:
    """Set every quantity one higher; milliseconds and statements."""
    updates = []
    for item in items:
        before, item["quantity"] = item["quantity"], item["quantity"] + 1
        updates.append(
            {key: item[key] for key in ("store_id", "product_id", "quantity")} | {"expected": before}
        )
    with count_queries() as queries:
        started = time.perf_counter()
        reply = await client.put("/admin/stock", json={"updates": updates})
        ms = (time.perf_counter() - started) * 1000
    assert reply.json() == {"updated": len(items), "changed": len(items)}, reply.text
    return ms, queries.count


async def open_form(stack: AsyncExitStack, form: str, url: str) -> httpx.AsyncClient:
    """A client of one form, in this process."""
    app = create_app(form, database_url=url, admin_token="t")
    await stack.enter_async_context(app.router.lifespan_context(app))
    return await stack.enter_async_context(
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://inventory",
            headers={"Authorization": "Bearer t"},
            timeout=120,
        )
    )


async def measure(urls: dict[str, str]) -> None:
    found: dict[tuple[str, int], list[float]] = {}
    statements: dict[tuple[str, int], int] = {}
    async with AsyncExitStack() as stack:
        clients = {form: await open_form(stack, form, url) for form, url in urls.items()}
        items = {form: await everything(clients["tuned"]) for form in clients}
        for number in range(ROUNDS):
            for form in clients if number % 2 else reversed(clients):
                for size in SIZES[form]:
                    ms, count = await update(clients[form], items[form][:size])
                    found.setdefault((form, size), []).append(ms)
                    statements[form, size] = count
    print(f"\nbulk_update: a request that changes every row, median of {ROUNDS} interleaved rounds")
    for (form, size), times in sorted(found.items()):
        median = statistics.median(times)
        each = f"{median / size * 1000:8.0f} us a row"
        print(f"  {form}, {size:6,} rows {median:10,.0f} ms {each} {statements[form, size]:6,} statements")
    ratio = statistics.median(found["naive", 300]) / statistics.median(found["tuned", 300])
    print(f"  naive / tuned at 300 rows: {ratio:.1f}x")


def main() -> None:
    with private_servers(redis=False) as servers:
        url = servers.sync_database_url
        urls = {}
        template = create_database(url, "bulk")
        migrate(template, "0001")
        seed(template, scale=DEFAULT_SCALE)
        for form in SIZES:
            urls[form] = create_database(url, f"bulk_{form}", template="bulk")
            migrate(urls[form], FORMS[form])
        asyncio.run(measure(urls))


if __name__ == "__main__":
    main()
