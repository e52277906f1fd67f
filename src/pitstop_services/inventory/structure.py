"""The real structure, read from ``data/`` and repeated: what lies where, what was bought, made and sold."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import cache, cached_property
from itertools import groupby
from typing import Literal

from pitstop_services.copies import SHIFT, Row, read_rows, stride

__all__ = ["Event", "Structure", "barcode", "read_structure"]

Table = Literal["stores", "categories", "products", "stock", "transactions"]

KINDS = {"S": "sale", "P": "purchase", "W": "work_order"}
OPENS, OPEN = time(6, tzinfo=UTC), timedelta(hours=16)
FINISHED_GOODS = 7  # the store of products that the data keeps nowhere


@dataclass(frozen=True, slots=True)
class Event:
    """A transaction of the data, with the store and the time of day that the data does not have."""

    row: Row
    store_id: int
    at: datetime


@dataclass(frozen=True)
class Structure:
    """The rows of the five files.

    Copy ``n`` of a row has its id (and the ids it points to) moved by ``n`` times the stride of its
    table and lies ``n`` x 6:07:11 h earlier, so that every copy has the distributions of the first.
    """

    stores: tuple[Row, ...]
    categories: tuple[Row, ...]
    products: tuple[Row, ...]
    stock: tuple[Row, ...]
    transactions: tuple[Row, ...]
    strides: dict[str, int]

    def identity(self, table: Table, value: str | int, *, copy: int) -> int | None:
        """The id that the copy has instead of this one; None for an empty one."""
        return None if value == "" else int(value) + copy * self.strides[table]

    def store_ids(self, *, scale: int) -> list[int]:
        """The ids of all stores of a database seeded at this scale."""
        return self._ids("stores", self.stores, scale)

    def product_ids(self, *, scale: int) -> list[int]:
        """The ids of all products of a database seeded at this scale."""
        return self._ids("products", self.products, scale)

    def _ids(self, table: Table, rows: tuple[Row, ...], scale: int) -> list[int]:
        move = self.strides[table]
        return [int(row["id"]) + copy * move for copy in range(scale) for row in rows]

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """All transactions, oldest first: a day's spread over it, each in a store that has the product."""
        return tuple(self._spread())

    @cached_property
    def last_changes(self) -> dict[tuple[int, str], datetime]:
        """When something last happened to a product in a store."""
        return {(event.store_id, event.row["product_id"]): event.at for event in self.events}

    def _spread(self) -> Iterator[Event]:
        kept: dict[str, list[int]] = {}
        for row in self.stock:
            kept.setdefault(row["product_id"], []).append(int(row["store_id"]))
        turns: Counter[str] = Counter()
        for day, group in groupby(self.transactions, key=lambda row: row["day"]):
            rows = list(group)
            opens = datetime.combine(datetime.fromisoformat(day), OPENS)
            for number, row in enumerate(rows):
                stores = kept.get(row["product_id"], [FINISHED_GOODS])
                turns[row["product_id"]] += 1
                store_id = stores[turns[row["product_id"]] % len(stores)]
                yield Event(row, store_id, opens + OPEN * number / len(rows))


def instant(at: datetime, *, copy: int) -> datetime:
    """The time of a copy's row."""
    return at - copy * SHIFT


def barcode(product_id: int) -> str:
    """The EAN-13 of a product: a number of the range for use within a company, with its check digit."""
    digits = f"2{product_id:011d}"
    weighted = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits))
    return f"{digits}{-weighted % 10}"


@cache
def read_structure() -> Structure:
    """Read the files that ship with the service (about 18,600 rows)."""
    stores, categories, products, stock, transactions = (
        read_rows("inventory", name) for name in ("stores", "categories", "products", "stock", "transactions")
    )
    strides = {
        "stores": stride(stores),
        "categories": stride(categories),
        "products": stride(products),
        "stock": len(stock),
        "transactions": len(transactions),
    }
    return Structure(stores, categories, products, stock, transactions, strides)
