"""The load on the inventory, for Locust: people who look things up, and such of whom some count the shelves.

Runs under ``pitstop bench inventory`` and as it is: ``locust -f load.py --host http://...``. Stores and
products are drawn by Zipf's law over all that the host has.
"""

import os
from typing import Any
from urllib.parse import quote

from pitstop_services.inventory.structure import barcode, read_structure
from pitstop_services.popularity import Ids
from pitstop_services.visitor import Visitor, learn

__all__ = ["InventoryMixed", "InventoryReader", "find_ids"]

PAGE = 50  # rows
PAGES = 3  # that somebody turns at the most
COUNTED = 20  # products that somebody counts at a time


class _Visitor(Visitor):
    """What a visitor can do; how often is said by the classes below."""

    abstract = True

    def on_start(self) -> None:
        """Learn which stores and products there are."""
        super().on_start()
        self.stores, self.products = self.find_once(find_ids)

    def list_stock(self) -> None:
        """Look through a store, up to three pages of it."""
        store_id = self.stores.draw(self.random)
        self._turn(f"/inventory?store_id={store_id}&limit={PAGE}", "GET /inventory")

    def list_products(self) -> None:
        """Look through the products, up to three pages."""
        self._turn(f"/products?limit={PAGE}", "GET /products")

    def list_transactions(self) -> None:
        """Look at what happened last in a store, up to three pages."""
        store_id = self.stores.draw(self.random)
        self._turn(f"/transactions?store_id={store_id}&limit={PAGE}", "GET /transactions")

    def scan(self) -> None:
        """Hold a product before the scanner."""
        code = barcode(self.products.draw(self.random))
        self.client.get(f"/products/barcode/{code}", name="GET /products/barcode/{barcode}")

    def count_shelf(self) -> None:
        """Count some of what lies in a store, and say what is there; somebody may have been faster (409)."""
        store_id = self.stores.draw(self.random)
        page = self.client.get(f"/inventory?store_id={store_id}&limit={PAGE}", name="GET /inventory")
        items = page.json()["items"] if page.ok else []
        if not items:  # an empty store, or an error that is counted already
            return
        seen = self.random.sample(items, min(COUNTED, len(items)))
        updates = [self._counted(each) for each in seen]
        with self.client.put(
            "/admin/stock",
            json={"updates": updates},
            headers={"Authorization": f"Bearer {os.environ.get('PITSTOP_ADMIN_TOKEN', '')}"},
            name="PUT /admin/stock",
            catch_response=True,
        ) as answer:
            if answer.status_code == 409:
                answer.success()

    def _counted(self, item: dict[str, Any]) -> dict[str, int]:
        return {
            "store_id": item["store_id"],
            "product_id": item["product_id"],
            "expected": item["quantity"],
            "quantity": max(0, item["quantity"] + self.random.randint(-5, 5)),
        }

    def _turn(self, path: str, name: str) -> None:
        """Open a page, and half of the time the one behind it."""
        answer = self.client.get(path, name=name)
        for _ in range(PAGES - 1):
            if not answer.ok or self.random.random() < 0.5:
                return
            following = answer.json()["next"]
            if following is None:
                return
            answer = self.client.get(f"{path}&cursor={quote(following)}", name=name)


class InventoryReader(_Visitor):
    """Looks things up: stock of a store, a barcode, products, transactions of a store, 3:3:2:2."""

    tasks = [  # noqa: RUF012
        *[_Visitor.list_stock] * 3,
        *[_Visitor.scan] * 3,
        *[_Visitor.list_products] * 2,
        *[_Visitor.list_transactions] * 2,
    ]


class InventoryMixed(_Visitor):
    """The same, and a twentieth of what it does is to count; needs ``PITSTOP_ADMIN_TOKEN``."""

    tasks = [  # noqa: RUF012
        *[_Visitor.list_stock] * 27,
        *[_Visitor.scan] * 29,
        *[_Visitor.list_products] * 19,
        *[_Visitor.list_transactions] * 20,
        *[_Visitor.count_shelf] * 5,
    ]

    def on_start(self) -> None:
        """See that there is a token to write with.

        Raises:
            RuntimeError: there is none.
        """
        if not os.environ.get("PITSTOP_ADMIN_TOKEN"):
            raise RuntimeError(
                "no token to write with: set PITSTOP_ADMIN_TOKEN, to any word, for the whole run"
            )
        super().on_start()


def find_ids(host: str) -> tuple[Ids, Ids]:
    """The stores and the products to ask a host for.

    Raises:
        RuntimeError: the host does not answer like the inventory.
    """
    structure = read_structure()
    stores = _stores(host)
    scale = max(1, len(stores) // len(structure.stores))
    return Ids(stores), Ids(structure.product_ids(scale=scale))


def _stores(host: str) -> list[int]:
    return learn(
        host,
        "/stores",
        lambda stores: [int(store["id"]) for store in stores],
        what="which stores there are",
        cure="start the inventory there",
    )
