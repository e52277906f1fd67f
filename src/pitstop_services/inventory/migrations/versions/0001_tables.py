"""The tables as most backends begin: primary and foreign keys, no other index."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

INSTANT = sa.DateTime(timezone=True)
MONEY = sa.Numeric(12, 4)


def upgrade() -> None:
    op.create_table(
        "stores",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
    )
    op.create_table(
        "categories",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("parent_id", sa.BigInteger, sa.ForeignKey("categories.id")),
        sa.Column("name", sa.Text, nullable=False),
    )
    op.create_table(
        "products",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("category_id", sa.BigInteger, sa.ForeignKey("categories.id")),
        sa.Column("number", sa.Text, nullable=False),
        sa.Column("barcode", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("reorder_point", sa.Integer, nullable=False, server_default="0"),
        sa.Column("standard_cost", MONEY, nullable=False, server_default="0"),
        sa.Column("list_price", MONEY, nullable=False, server_default="0"),
        sa.Column("is_sold", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.Column("created_at", INSTANT, nullable=False, server_default=sa.func.now()),
    )
    op.create_table(
        "stock",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("store_id", sa.BigInteger, sa.ForeignKey("stores.id"), nullable=False),
        sa.Column("product_id", sa.BigInteger, sa.ForeignKey("products.id"), nullable=False),
        sa.Column("shelf", sa.Text),
        sa.Column("bin", sa.Integer, nullable=False, server_default="0"),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False, server_default=sa.func.now()),
    )
    op.create_table(
        "transactions",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("store_id", sa.BigInteger, sa.ForeignKey("stores.id"), nullable=False),
        sa.Column("product_id", sa.BigInteger, sa.ForeignKey("products.id"), nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.Column("unit_cost", MONEY),
        sa.Column("created_at", INSTANT, nullable=False, server_default=sa.func.now()),
    )


def downgrade() -> None:
    for table in ("transactions", "stock", "products", "categories", "stores"):
        op.drop_table(table)
