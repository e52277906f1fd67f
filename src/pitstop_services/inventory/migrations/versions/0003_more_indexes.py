"""The indexes that the workload asks for beyond those, built and dropped without blocking a write."""

from pitstop_services.migration import build_indexes, drop_indexes

revision = "0003"
down_revision = "0002"

INDEXES = {
    # the product list and its keyset pages
    "ix_products_name": "ON products (name, id)",
    # the products of a category; serves the foreign key too
    "ix_products_category": "ON products (category_id)",
    # what there is of a product, by store; serves the foreign key too. Without INCLUDE (quantity), so that
    # a new quantity touches no index (HOT): a product lies in few stores, a bulk update sets thousands
    "ix_stock_product": "ON stock (product_id, store_id)",
    # the transactions of a store by time; serves the foreign key too
    "ix_transactions_store": "ON transactions (store_id, created_at, id)",
    # the two remaining foreign keys
    "ix_transactions_product": "ON transactions (product_id)",
    "ix_categories_parent": "ON categories (parent_id) WHERE parent_id IS NOT NULL",
}


def upgrade() -> None:
    build_indexes(INDEXES)


def downgrade() -> None:
    drop_indexes(reversed(INDEXES))
