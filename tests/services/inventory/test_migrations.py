"""The inventory's schema goes up and down."""

from pitstop_services.inventory.migrations import migrate
from pitstop_services.inventory.models import Base
from tests.services.database import indexes

OF_0002 = {"ux_stock_store_product", "ux_products_barcode", "ix_transactions_newest"}
OF_0003 = {
    "ix_products_name",
    "ix_products_category",
    "ix_stock_product",
    "ix_transactions_store",
    "ix_transactions_product",
    "ix_categories_parent",
}


def every_index(url: str) -> set[str]:
    return {name for table in Base.metadata.tables for name in indexes(url, table)}


def test_indexes_come_and_go(sync_database_url: str) -> None:
    """Each revision has its indexes, up and down, 0001 nothing but keys; the rows stay."""
    assert every_index(sync_database_url) == OF_0002 | OF_0003
    migrate(sync_database_url, "0002")
    assert every_index(sync_database_url) == OF_0002
    migrate(sync_database_url, "0001")
    assert every_index(sync_database_url) == set()
    migrate(sync_database_url, "head")
    assert every_index(sync_database_url) == OF_0002 | OF_0003
