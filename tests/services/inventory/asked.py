"""What the inventory is asked in the tests of every service."""

from typing import Any

import httpx

from pitstop_services.inventory.structure import barcode

PATHS = {
    "stores": "/stores",
    "stock, first page": "/inventory",
    "stock, longest page": "/inventory?limit=100",
    "stock of a store": "/inventory?store_id=50&limit=100",
    "stock of a small store, all of it": "/inventory?store_id=45&limit=100",
    "stock of a page that is just full": "/inventory?store_id=45&limit=3",
    "stock of no such store": "/inventory?store_id=424242",
    "stock of the greatest store": f"/inventory?store_id={2**63 - 1}",
    "products, longest page": "/products?limit=100",
    "products of a group": "/products?category_id=1&limit=100",
    "products of a category": "/products?category_id=117&limit=100",
    "products of no such category": "/products?category_id=424242",
    "a product that is kept": f"/products/barcode/{barcode(747)}",
    "a product in three stores": f"/products/barcode/{barcode(1)}",
    "a product that is kept nowhere": f"/products/barcode/{barcode(897)}",
    "no such product": f"/products/barcode/{barcode(424242)}",
    "transactions, longest page": "/transactions?limit=100",
    "transactions of a store": "/transactions?store_id=7&limit=100",
    "transactions of a store without any": "/transactions?store_id=4",
    "transactions of a day": "/transactions?from=2014-06-12&to=2014-06-12&limit=100",
    "transactions from a day": "/transactions?from=2014-07-31",
    "transactions to a day": "/transactions?to=2014-05-02",
    "transactions of a store and days": "/transactions?store_id=50&from=2014-05-03&to=2014-05-30",
    "transactions of no day": "/transactions?from=2014-06-02&to=2014-06-01",
    "transactions of all days there are": "/transactions?from=0001-01-01&to=9999-12-31&limit=5",
}
REFUSED = [
    "/inventory?limit=0",
    "/inventory?limit=101",
    "/inventory?store_id=-1",
    f"/inventory?store_id={2**63}",
    "/inventory?cursor=",
    "/inventory?cursor=behind",
    "/inventory?cursor=%00",
    "/products?cursor=1~2",
    "/products?category_id=bikes",
    "/products/barcode/123",
    "/products/barcode/200000000001x",
    "/transactions?from=yesterday",
    "/transactions?cursor=-1",
]

# for the plans: what is asked where the tables are large, and which those are
FORMS = ("tuned",)  # whose statements differ
LARGE = {"transactions"}
PAGES = [
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
]
CURSOR = "cursor"
WRITES = [("PUT", "/admin/stock", {"updates": [{"store_id": 6, "product_id": 1, "quantity": 300}]})]


def told(reply: httpx.Response) -> tuple[int, Any]:
    """Status and answer; of a cursor only whether there is one: the naive forms' are offsets."""
    body = reply.json()
    if isinstance(body, dict) and "next" in body:
        body["next"] = body["next"] is not None
    return reply.status_code, body
