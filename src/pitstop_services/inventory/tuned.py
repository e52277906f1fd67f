"""The tuned form: asyncpg, one statement a read, pages by key, JSON made by PostgreSQL, updates by set."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import JSONResponse

from pitstop_services.access import Admin
from pitstop_services.inventory import queries, schemas
from pitstop_services.inventory.schemas import (
    Barcode,
    CategoryId,
    Cursor,
    FirstDay,
    LastDay,
    Limit,
    StockConflict,
    StockConflicts,
    StockUpdates,
    StoreId,
)

__all__ = ["router"]

router = APIRouter()

EARLIEST, LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@router.get("/stores", response_model=list[schemas.StoreSummary])
async def list_stores(request: Request) -> Response:
    """List all stores."""
    return await queries.STORES.response(request.app.state.async_engine)


@router.get("/inventory", response_model=schemas.StockPage)
async def list_stock(
    request: Request, store_id: StoreId = None, limit: Limit = 20, cursor: Cursor = None
) -> Response:
    """List what lies where, by store and product."""
    database = request.app.state.async_engine
    if store_id is None:
        return await queries.STOCK.page(limit, after=cursor).response(database)
    return await queries.STOCK_OF.page(limit, after=cursor).response(database, store_id=store_id)


@router.get("/products", response_model=schemas.ProductPage)
async def list_products(
    request: Request, category_id: CategoryId = None, limit: Limit = 20, cursor: Cursor = None
) -> Response:
    """List the products, by name."""
    database = request.app.state.async_engine
    if category_id is None:
        return await queries.PRODUCTS.page(limit, after=cursor).response(database)
    page = queries.PRODUCTS_IN.page(limit, after=cursor)
    return await page.response(database, category_id=category_id)


@router.get("/products/barcode/{barcode}", response_model=schemas.ProductDetail)
async def find_product(request: Request, barcode: Barcode) -> Response:
    """Show the product with a barcode and all of its stock."""
    content = await queries.PRODUCT.fetch(request.app.state.async_engine, barcode=barcode)
    if content is None:
        raise HTTPException(404, f"no product {barcode}")
    return Response(content, media_type="application/json")


@router.get("/transactions", response_model=schemas.TransactionPage)
async def list_transactions(
    request: Request,
    store_id: StoreId = None,
    first: FirstDay = None,
    last: LastDay = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Response:
    """List the transactions, newest first."""
    database, span = request.app.state.async_engine, between(first, last)
    if store_id is None:
        return await queries.TRANSACTIONS.page(limit, after=cursor).response(database, **span)
    page = queries.TRANSACTIONS_OF.page(limit, after=cursor)
    return await page.response(database, store_id=store_id, **span)


@router.put(
    "/admin/stock",
    dependencies=[Admin],
    response_model=schemas.StockUpdated,
    responses={409: {"model": StockConflicts}},
)
async def update_stock(request: Request, body: StockUpdates) -> Any:
    """Set quantities, all or none."""
    values = queries.arrays(body.updates)
    async with request.app.state.async_engine.begin() as connection:
        conflicts = (await connection.execute(queries.CONFLICTS, values)).mappings().all()
        if conflicts:
            return refusal(body, [StockConflict(**each) for each in conflicts])
        changed = (await connection.execute(queries.SET, values)).rowcount
    return {"updated": len(body.updates), "changed": changed}


def between(first: date | None, last: date | None) -> dict[str, datetime]:
    """The parameters for days from the first to the last: times that an index can be searched for."""
    since = EARLIEST if first is None else datetime.combine(first, time(), UTC)
    until = LATEST if last in (None, date.max) else datetime.combine(last, time(), UTC) + timedelta(days=1)
    return {"since": since, "until": until}


def refusal(body: StockUpdates, conflicts: list[StockConflict]) -> JSONResponse:
    """The answer when nothing was changed."""
    return JSONResponse(StockConflicts.among(body.updates, conflicts).model_dump(), 409)
