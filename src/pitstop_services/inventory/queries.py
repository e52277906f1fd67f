"""The questions of the tuned form: read models for what is read, two statements for a bulk update.

Each is built once, with its parameters open: SQLAlchemy compiles it once, and PostgreSQL prepares it
once per connection.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    DateTime,
    Integer,
    and_,
    bindparam,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from pitstop import read_model
from pitstop_services.inventory import schemas
from pitstop_services.inventory.models import Category, Product, Stock, Store, Transaction
from pitstop_services.inventory.schemas import StockUpdate

__all__ = [
    "CONFLICTS",
    "PRODUCT",
    "PRODUCTS",
    "PRODUCTS_IN",
    "SET",
    "STOCK",
    "STOCK_OF",
    "STORES",
    "TRANSACTIONS",
    "TRANSACTIONS_OF",
    "arrays",
]

STORE_ID = bindparam("store_id", type_=BigInteger)
CATEGORY_ID = bindparam("category_id", type_=BigInteger)

OF_STORE = Stock.store_id == Store.id
OF_PRODUCT = Stock.product_id == Product.id

STORES = (
    read_model(Store, schemas.StoreSummary)
    .field("products", select(func.count()).where(OF_STORE).correlate(Store).scalar_subquery())
    .field(
        "pieces",
        select(func.coalesce(func.sum(Stock.quantity), 0)).where(OF_STORE).correlate(Store).scalar_subquery(),
    )
    .order_by(Store.id)
)

STOCK = (
    read_model(Stock, schemas.StockItem)
    .field("store_name", Stock.store, Store.name)
    .field("product_name", Stock.product, Product.name)
    .field("barcode", Stock.product, Product.barcode)
    .field("reorder_point", Stock.product, Product.reorder_point)
    .field("category_name", Stock.product, Product.category, Category.name)
    .order_by(Stock.store_id, Stock.product_id)
)
STOCK_OF = STOCK.where(Stock.store_id == STORE_ID)

PRODUCTS = (
    read_model(Product, schemas.ProductSummary)
    .field("category_name", Product.category, Category.name)
    .field("group_name", Product.category, Category.parent, Category.name)
    .field("stores", select(func.count()).where(OF_PRODUCT).correlate(Product).scalar_subquery())
    .field(
        "pieces",
        select(func.coalesce(func.sum(Stock.quantity), 0))
        .where(OF_PRODUCT)
        .correlate(Product)
        .scalar_subquery(),
    )
    .order_by(Product.name, Product.id)
)
PRODUCTS_IN = PRODUCTS.where(
    Product.category_id.in_(
        select(Category.id).where(or_(Category.id == CATEGORY_ID, Category.parent_id == CATEGORY_ID))
    )
)

PRODUCT = (
    read_model(Product, schemas.ProductDetail)
    .field("category_name", Product.category, Category.name)
    .field("group_name", Product.category, Category.parent, Category.name)
    .field("stock.store_name", Stock.store, Store.name)
    .where(Product.barcode == bindparam("barcode"))
    .one()
)

TRANSACTIONS = (
    read_model(Transaction, schemas.TransactionEntry)
    .field("store_name", Transaction.store, Store.name)
    .field("product_name", Transaction.product, Product.name)
    .where(
        Transaction.created_at >= bindparam("since", type_=DateTime(timezone=True)),
        Transaction.created_at < bindparam("until", type_=DateTime(timezone=True)),
    )
    .order_by(Transaction.created_at.desc(), Transaction.id.desc())
)
TRANSACTIONS_OF = TRANSACTIONS.where(Transaction.store_id == STORE_ID)

_numbers = ARRAY(BigInteger)
WANTED = (
    func.unnest(
        bindparam("store_ids", type_=_numbers),
        bindparam("product_ids", type_=_numbers),
        bindparam("quantities", type_=ARRAY(Integer)),
        bindparam("expected", type_=ARRAY(Integer)),
    )
    .table_valued("store_id", "product_id", "quantity", "expected")
    .render_derived("wanted")
)
IS_WANTED = and_(Stock.store_id == WANTED.c.store_id, Stock.product_id == WANTED.c.product_id)

# In one order always, so that two bulk updates wait for each other instead of ending in a deadlock;
# what is found under the locks stays so until the transaction ends.
LOCKED = (
    select(Stock.store_id, Stock.product_id, Stock.quantity)
    .join(WANTED, IS_WANTED)
    .order_by(Stock.store_id, Stock.product_id)
    .with_for_update(of=Stock)
    .cte("locked")
)
CONFLICTS = (
    select(WANTED.c.store_id, WANTED.c.product_id, WANTED.c.expected, LOCKED.c.quantity)
    .outerjoin_from(
        WANTED,
        LOCKED,
        and_(LOCKED.c.store_id == WANTED.c.store_id, LOCKED.c.product_id == WANTED.c.product_id),
    )
    .where(or_(LOCKED.c.quantity.is_(None), LOCKED.c.quantity != WANTED.c.expected))
    .order_by(WANTED.c.store_id, WANTED.c.product_id)
)

IS_CHANGED = and_(IS_WANTED, Stock.quantity != WANTED.c.quantity)
CHANGED = (
    update(Stock).where(IS_CHANGED).values(quantity=WANTED.c.quantity, updated_at=func.now()).cte("changed")
)
# both parts of one statement see the rows as they were before it
SET = (
    insert(Transaction)
    .from_select(
        ["store_id", "product_id", "kind", "quantity"],
        select(
            Stock.store_id,
            Stock.product_id,
            literal_column("'adjustment'"),
            WANTED.c.quantity - Stock.quantity,
        ).join(WANTED, IS_CHANGED),
    )
    .add_cte(CHANGED)
)


def arrays(updates: list[StockUpdate]) -> dict[str, Any]:
    """The parameters of ``CONFLICTS`` and ``SET``."""
    return {
        "store_ids": [each.store_id for each in updates],
        "product_ids": [each.product_id for each in updates],
        "quantities": [each.quantity for each in updates],
        "expected": [each.expected for each in updates],
    }
