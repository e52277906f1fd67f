"""What goes over the wire: parameters, request bodies and answers, the same for every form."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Self

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = [
    "Barcode",
    "CategoryId",
    "Cursor",
    "FirstDay",
    "LastDay",
    "Level",
    "Limit",
    "ProductDetail",
    "ProductPage",
    "ProductSummary",
    "StockConflict",
    "StockConflicts",
    "StockItem",
    "StockPage",
    "StockUpdate",
    "StockUpdated",
    "StockUpdates",
    "StoreId",
    "StoreSummary",
    "TransactionEntry",
    "TransactionPage",
]

MOST_UPDATES = 10_000  # of one request

Identity = Annotated[int, Field(ge=0, lt=2**63)]
Quantity = Annotated[int, Field(ge=0, lt=2**31)]

StoreId = Annotated[int | None, Query(ge=0, lt=2**63, description="only of this store")]
CategoryId = Annotated[int | None, Query(ge=0, lt=2**63, description="only of this category and those in it")]
Limit = Annotated[int, Query(ge=1, le=100, description="rows of a page")]
Cursor = Annotated[
    str | None,
    Query(min_length=1, max_length=1000, description="the `next` of a page: begin behind its last row"),
]
FirstDay = Annotated[date | None, Query(alias="from", description="only on this day (UTC) or later")]
LastDay = Annotated[date | None, Query(alias="to", description="only on this day (UTC) or earlier")]
Barcode = Annotated[str, Path(pattern=r"^[0-9]{13}$", description="EAN-13")]


class StoreSummary(BaseModel):
    """A store, how many products lie there, and how many pieces."""

    id: int
    name: str
    products: int
    pieces: int


class StockItem(BaseModel):
    """A product in a store."""

    store_id: int
    store_name: str
    product_id: int
    product_name: str
    barcode: str
    category_name: str | None
    shelf: str | None
    bin: int
    quantity: int
    reorder_point: int
    updated_at: datetime


class StockPage(BaseModel):
    """A page of what lies where, by store and product; ``next`` is None on the last page."""

    items: list[StockItem]
    next: str | None


class ProductSummary(BaseModel):
    """A product in a list: in how many stores it lies, and how many pieces there are of it."""

    id: int
    number: str
    barcode: str
    name: str
    category_name: str | None
    group_name: str | None
    list_price: Decimal
    is_sold: bool
    stores: int
    pieces: int


class ProductPage(BaseModel):
    """A page of products, by name."""

    items: list[ProductSummary]
    next: str | None


class Level(BaseModel):
    """How much of a product lies in a store."""

    model_config = ConfigDict(from_attributes=True)

    store_id: int
    store_name: str
    shelf: str | None
    bin: int
    quantity: int
    updated_at: datetime


class ProductDetail(BaseModel):
    """A product with all of its stock, by store."""

    id: int
    number: str
    barcode: str
    name: str
    category_name: str | None
    group_name: str | None
    reorder_point: int
    standard_cost: Decimal
    list_price: Decimal
    is_sold: bool
    stock: list[Level]


class TransactionEntry(BaseModel):
    """A transaction in a list."""

    id: int
    created_at: datetime
    kind: str
    store_id: int
    store_name: str
    product_id: int
    product_name: str
    quantity: int
    unit_cost: Decimal | None


class TransactionPage(BaseModel):
    """A page of transactions, newest first."""

    items: list[TransactionEntry]
    next: str | None


class StockUpdate(BaseModel):
    """What lies in a store now; ``expected`` is what lay there when the client looked."""

    store_id: Identity
    product_id: Identity
    quantity: Quantity
    expected: Quantity | None = None


class StockUpdates(BaseModel):
    """Updates that are carried out together or not at all; each pair of store and product once."""

    updates: Annotated[list[StockUpdate], Field(min_length=1, max_length=MOST_UPDATES)]

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        seen = set()
        for each in self.updates:
            pair = (each.store_id, each.product_id)
            if pair in seen:
                raise ValueError(
                    f"product {each.product_id} in store {each.store_id} is there twice: give it once"
                )
            seen.add(pair)
        return self


class StockUpdated(BaseModel):
    """How many rows were set, and how many of them had another quantity before."""

    updated: int
    changed: int


class StockConflict(BaseModel):
    """An update that cannot be; ``quantity`` is what lies there, None when nothing is kept there at all."""

    store_id: int
    product_id: int
    expected: int | None
    quantity: int | None


class StockConflicts(BaseModel):
    """Why nothing was changed; by store and product."""

    detail: str
    conflicts: list[StockConflict]

    @classmethod
    def among(cls, updates: list[StockUpdate], conflicts: list[StockConflict]) -> Self:
        """The answer to updates of which these are in conflict."""
        detail = f"nothing was changed: {len(conflicts)} of {len(updates)} updates in conflict"
        return cls(detail=detail, conflicts=conflicts)
