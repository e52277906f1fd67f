"""Fills a database from the real structure: deterministic, a row at a time."""

from collections.abc import Iterator
from datetime import UTC, datetime

from pitstop_services.filling import Progress, Table, Values, seeder
from pitstop_services.inventory.migrations import migrate
from pitstop_services.inventory.structure import KINDS, Structure, barcode, instant, read_structure

__all__ = ["Progress", "migrate", "seed"]


def _tables(data: Structure, scale: int) -> list[Table]:
    return [
        Table("stores", "id, name", scale * len(data.stores), _stores(data, scale)),
        Table("categories", "id, parent_id, name", scale * len(data.categories), _categories(data, scale)),
        Table(
            "products",
            "id, category_id, number, barcode, name, reorder_point, standard_cost, list_price,"
            " is_sold, created_at",
            scale * len(data.products),
            _products(data, scale),
        ),
        Table(
            "stock",
            "id, store_id, product_id, shelf, bin, quantity, updated_at",
            scale * len(data.stock),
            _stock(data, scale),
        ),
        Table(
            "transactions",
            "id, store_id, product_id, kind, quantity, unit_cost, created_at",
            scale * len(data.transactions),
            _transactions(data, scale),
        ),
    ]


def _stores(data: Structure, scale: int) -> Iterator[Values]:
    for copy in range(scale):
        for row in data.stores:
            yield data.identity("stores", row["id"], copy=copy), _named(row["name"], copy)


def _categories(data: Structure, scale: int) -> Iterator[Values]:
    for copy in range(scale):
        for row in data.categories:
            yield (
                data.identity("categories", row["id"], copy=copy),
                data.identity("categories", row["parent_id"], copy=copy),
                _named(row["name"], copy),
            )


def _products(data: Structure, scale: int) -> Iterator[Values]:
    for copy in range(scale):
        for row in data.products:
            product_id = int(row["id"]) + copy * data.strides["products"]
            yield (
                product_id,
                data.identity("categories", row["category_id"], copy=copy),
                f"{row['number']}/{copy + 1}" if copy else row["number"],
                barcode(product_id),
                _named(row["name"], copy),
                int(row["reorder_point"]),
                row["standard_cost"],
                row["list_price"],
                not row["sold_until"],
                instant(datetime.fromisoformat(row["sold_from"]).replace(tzinfo=UTC), copy=copy),
            )


def _stock(data: Structure, scale: int) -> Iterator[Values]:
    first = data.events[0].at
    for copy in range(scale):
        for number, row in enumerate(data.stock, 1):
            changed = data.last_changes.get((int(row["store_id"]), row["product_id"]), first)
            yield (
                data.identity("stock", number, copy=copy),
                data.identity("stores", row["store_id"], copy=copy),
                data.identity("products", row["product_id"], copy=copy),
                None if row["shelf"] == "N/A" else row["shelf"],
                int(row["bin"]),
                int(row["quantity"]),
                instant(changed, copy=copy),
            )


def _transactions(data: Structure, scale: int) -> Iterator[Values]:
    for copy in range(scale):
        for number, event in enumerate(data.events, 1):
            yield (
                data.identity("transactions", number, copy=copy),
                data.identity("stores", event.store_id, copy=copy),
                data.identity("products", event.row["product_id"], copy=copy),
                KINDS[event.row["kind"]],
                int(event.row["quantity"]),
                event.row["unit_cost"],
                instant(event.at, copy=copy),
            )


def _named(name: str, copy: int) -> str:
    return f"{name} ({copy + 1})" if copy else name


seed = seeder(lambda scale: _tables(read_structure(), scale), migrate=migrate)
