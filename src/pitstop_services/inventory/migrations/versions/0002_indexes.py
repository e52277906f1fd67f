"""The indexes everybody thinks of, built and dropped without blocking a write."""

from pitstop_services.migration import build_indexes, drop_indexes

revision = "0002"
down_revision = "0001"

INDEXES = {
    # what lies in a store, in order; what a bulk update looks for
    "ux_stock_store_product": "UNIQUE ON stock (store_id, product_id)",
    # transactions by time; read backwards for the newest
    "ix_transactions_newest": "ON transactions (created_at, id)",
    # the scanner at the till
    "ux_products_barcode": "UNIQUE ON products (barcode)",
}


def upgrade() -> None:
    build_indexes(INDEXES)


def downgrade() -> None:
    drop_indexes(reversed(INDEXES))
