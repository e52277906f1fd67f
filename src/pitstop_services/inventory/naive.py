"""The naive form, as such backends are usually written: an ORM session, lazy relations, row after row."""

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import JSONResponse
from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from pitstop_services.access import Admin
from pitstop_services.inventory.models import Category, Product, Stock, Store, Transaction
from pitstop_services.inventory.schemas import (
    Barcode,
    CategoryId,
    Cursor,
    FirstDay,
    LastDay,
    Level,
    Limit,
    ProductDetail,
    ProductPage,
    ProductSummary,
    StockConflict,
    StockConflicts,
    StockItem,
    StockPage,
    StockUpdate,
    StockUpdated,
    StockUpdates,
    StoreId,
    StoreSummary,
    TransactionEntry,
    TransactionPage,
)

__all__ = ["router"]

router = APIRouter()


def get_session(request: Request) -> Iterator[Session]:
    """One session for one request."""
    with request.app.state.sessions() as session:
        yield session


DbSession = Annotated[Session, Depends(get_session)]


@router.get("/stores")
def list_stores(session: DbSession) -> list[StoreSummary]:
    """List all stores."""
    return [
        StoreSummary(
            id=store.id,
            name=store.name,
            products=len(store.stock),
            pieces=sum(stock.quantity for stock in store.stock),
        )
        for store in session.scalars(select(Store).order_by(Store.id))
    ]


@router.get("/inventory")
def list_stock(
    session: DbSession, store_id: StoreId = None, limit: Limit = 20, cursor: Cursor = None
) -> StockPage:
    """List what lies where, by store and product."""
    statement = select(Stock).order_by(Stock.store_id, Stock.product_id)
    if store_id is not None:
        statement = statement.where(Stock.store_id == store_id)
    rows, following = cut(session, statement, limit, cursor)
    return StockPage(items=[stock_item(stock) for stock in rows], next=following)


@router.get("/products")
def list_products(
    session: DbSession, category_id: CategoryId = None, limit: Limit = 20, cursor: Cursor = None
) -> ProductPage:
    """List the products, by name."""
    statement = select(Product).order_by(Product.name, Product.id)
    if category_id is not None:
        statement = statement.join(Product.category).where(
            or_(Category.id == category_id, Category.parent_id == category_id)
        )
    rows, following = cut(session, statement, limit, cursor)
    return ProductPage(items=[product_summary(product) for product in rows], next=following)


@router.get("/products/barcode/{barcode}")
def find_product(session: DbSession, barcode: Barcode) -> ProductDetail:
    """Show the product with a barcode and all of its stock."""
    product = session.scalars(select(Product).where(Product.barcode == barcode)).first()
    if product is None:
        raise HTTPException(404, f"no product {barcode}")
    return product_detail(product)


@router.get("/transactions")
def list_transactions(
    session: DbSession,
    store_id: StoreId = None,
    first: FirstDay = None,
    last: LastDay = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> TransactionPage:
    """List the transactions, newest first."""
    statement = select(Transaction).order_by(Transaction.created_at.desc(), Transaction.id.desc())
    if store_id is not None:
        statement = statement.where(Transaction.store_id == store_id)
    if first is not None:
        statement = statement.where(func.date(Transaction.created_at) >= first)
    if last is not None:
        statement = statement.where(func.date(Transaction.created_at) <= last)
    rows, following = cut(session, statement, limit, cursor)
    return TransactionPage(items=[entry(transaction) for transaction in rows], next=following)


@router.put(
    "/admin/stock",
    dependencies=[Admin],
    response_model=StockUpdated,
    responses={409: {"model": StockConflicts}},
)
def update_stock(session: DbSession, body: StockUpdates) -> Any:
    """Set quantities, all or none."""
    changed, conflicts = 0, []
    for update in body.updates:
        stock = find_stock(session, update)
        if stock is None or update.expected not in (None, stock.quantity):
            conflicts.append(conflict(update, stock))
        elif stock.quantity != update.quantity:
            set_quantity(session, stock, update.quantity)
            changed += 1
    if conflicts:
        session.rollback()
        conflicts.sort(key=lambda each: (each.store_id, each.product_id))
        return JSONResponse(StockConflicts.among(body.updates, conflicts).model_dump(), 409)
    session.commit()
    return StockUpdated(updated=len(body.updates), changed=changed)


def find_stock(session: Session, update: StockUpdate) -> Stock | None:
    """The row that an update is about."""
    return session.scalars(
        select(Stock).where(Stock.store_id == update.store_id, Stock.product_id == update.product_id)
    ).first()


def set_quantity(session: Session, stock: Stock, quantity: int) -> None:
    """Change a row, and write down by how much."""
    session.add(
        Transaction(
            store_id=stock.store_id,
            product_id=stock.product_id,
            kind="adjustment",
            quantity=quantity - stock.quantity,
        )
    )
    stock.quantity = quantity
    stock.updated_at = func.now()


def conflict(update: StockUpdate, stock: Stock | None) -> StockConflict:
    """Why an update cannot be."""
    return StockConflict(
        store_id=update.store_id,
        product_id=update.product_id,
        expected=update.expected,
        quantity=stock.quantity if stock else None,
    )


def cut(
    session: Session, statement: Select[Any], limit: int, cursor: str | None
) -> tuple[list[Any], str | None]:
    """The rows of a page, and the cursor of the next one: here it is an offset."""
    if cursor is not None and not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        raise HTTPException(422, f"cursor {cursor!r} cannot be read: take the 'next' of a page")
    offset = int(cursor or 0)
    rows = list(session.scalars(statement.limit(limit + 1).offset(offset)))
    return rows[:limit], str(offset + limit) if len(rows) > limit else None


def stock_item(stock: Stock) -> StockItem:
    """A row of stock as it stands in a list."""
    product = stock.product
    return StockItem(
        store_id=stock.store_id,
        store_name=stock.store.name,
        product_id=product.id,
        product_name=product.name,
        barcode=product.barcode,
        category_name=product.category.name if product.category else None,
        shelf=stock.shelf,
        bin=stock.bin,
        quantity=stock.quantity,
        reorder_point=product.reorder_point,
        updated_at=stock.updated_at,
    )


def product_summary(product: Product) -> ProductSummary:
    """A product as it stands in a list."""
    return ProductSummary(
        id=product.id,
        number=product.number,
        barcode=product.barcode,
        name=product.name,
        category_name=product.category.name if product.category else None,
        group_name=group_name(product),
        list_price=product.list_price,
        is_sold=product.is_sold,
        stores=len(product.stock),
        pieces=sum(stock.quantity for stock in product.stock),
    )


def product_detail(product: Product) -> ProductDetail:
    """A product as it stands alone."""
    levels = [
        Level(
            store_id=stock.store_id,
            store_name=stock.store.name,
            shelf=stock.shelf,
            bin=stock.bin,
            quantity=stock.quantity,
            updated_at=stock.updated_at,
        )
        for stock in product.stock
    ]
    return ProductDetail(
        id=product.id,
        number=product.number,
        barcode=product.barcode,
        name=product.name,
        category_name=product.category.name if product.category else None,
        group_name=group_name(product),
        reorder_point=product.reorder_point,
        standard_cost=product.standard_cost,
        list_price=product.list_price,
        is_sold=product.is_sold,
        stock=levels,
    )


def group_name(product: Product) -> str | None:
    """The group of categories that a product is in."""
    if product.category is None or product.category.parent is None:
        return None
    return product.category.parent.name


def entry(transaction: Transaction) -> TransactionEntry:
    """A transaction as it stands in a list."""
    return TransactionEntry(
        id=transaction.id,
        created_at=transaction.created_at,
        kind=transaction.kind,
        store_id=transaction.store_id,
        store_name=transaction.store.name,
        product_id=transaction.product_id,
        product_name=transaction.product.name,
        quantity=transaction.quantity,
        unit_cost=transaction.unit_cost,
    )
