"""Never run: mypy checks that the public face keeps the types that users rely on."""

from typing import assert_type

from fastapi import FastAPI
from sqlalchemy import Engine
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session, sessionmaker
from starlette.responses import Response
from starlette.types import ASGIApp

from pitstop import (
    Cache,
    NPlusOne,
    Pitstop,
    PitstopError,
    Queries,
    Statement,
    count_queries,
    create_engine,
    implicit_loading,
    observe,
    peer_loading,
    private_servers,
    read_model,
)
from pitstop.pool import PoolStatus, create_async_engine, create_sync_engine, pool_status, session_factory
from pitstop.sql import Location, Observer, Page, PeerLoading, ReadModel, ReadOne, ReadPage, StatementGroup


def counting(
    engine: Engine, async_engine: AsyncEngine, session: Session, async_session: AsyncSession
) -> None:
    for target in (None, engine, async_engine, session, async_session):
        with count_queries(target, everywhere=True, threshold=5, allow=["Post.*"]) as queries:
            assert_type(queries, Queries)
    assert_type(queries.count, int)
    assert_type(queries.reset(), None)
    assert_type(queries.total_ms, float)
    assert_type(queries.statements, list[Statement])
    assert_type(queries.groups(), list[StatementGroup])
    assert_type(queries.n_plus_one, list[NPlusOne])
    finding = queries.n_plus_one[0]
    assert_type(finding.location, Location | None)
    assert_type(finding.imports, tuple[str, ...])


def loading_peers(
    session: AsyncSession, make: sessionmaker[Session], make_async: async_sessionmaker[AsyncSession]
) -> None:
    for target in (session, make, make_async, Session):
        with peer_loading(target, relationships=[], touch=2) as handle:
            assert_type(handle, PeerLoading)
    handle.close()


def observing(app: FastAPI, engine: AsyncEngine) -> None:
    with Pitstop(app, engine=engine, redis="redis://localhost:6379/0") as pitstop:
        assert_type(pitstop.enabled, bool)
        assert_type(pitstop.cache, Cache)
    assert_type(observe(engine, slow_ms=100.0), Observer)


def keeping_responses(app: FastAPI, bare: ASGIApp, cache: Cache) -> None:
    app.add_middleware(cache.responses(ttl=60, tags=["post:{post_id}"]))
    served: ASGIApp = cache.responses(vary=["Accept-Language"])(bare)
    assert_type(cache.tag("posts", "users"), None)
    assert_type(served, ASGIApp)


async def endpoint(number: int) -> str:
    return str(number)


async def loading(app: FastAPI) -> None:
    assert_type(implicit_loading(app), FastAPI)
    assert_type(implicit_loading(app, batch=False), FastAPI)
    assert_type(await implicit_loading(endpoint)(1), str)
    assert_type(await implicit_loading(batch=False)(endpoint)(1), str)


async def reading(model: type, response: type, session: AsyncSession, engine: Engine) -> None:
    shown = read_model(model, response).field("a.b", 1).collection("c", limit=3).where().order_by().limit(5)
    assert_type(shown, ReadModel)
    assert_type(await shown.offset(2).params(x=1).fetch(session, y=2), bytes)
    assert_type(shown.after(1).fetch_sync(engine), bytes)
    assert_type(shown.one(missing="no"), ReadOne)
    assert_type(await shown.one().fetch(session), bytes | None)
    assert_type(shown.page(20, after="x"), ReadPage)
    assert_type(await shown.page(20).fetch(session), Page)
    assert_type(await shown.response(session), Response)
    assert_type(shown.sql, str)


def serving() -> None:
    with private_servers(redis=False) as servers:
        assert_type(servers.database_url, str)


def failing(error: PitstopError) -> Exception:
    return error


async def caching(cache: Cache) -> None:
    @cache.cached(ttl="5m", tags=["order:{order_id}"])
    async def total(order_id: int, *, currency: str = "eur") -> float | None:
        return None

    @cache.cached()
    def rate(currency: str) -> float:
        return 1.0

    assert_type(await total(1, currency="usd"), float | None)
    assert_type(await total.refresh(1), float | None)
    assert_type(await total.bypass(1), float | None)
    assert_type(await total.invalidate(1), None)
    assert_type(total.key(1, currency="usd"), str)
    await total("1")  # type: ignore[arg-type]
    await total.invalidate(1, currency=1)  # type: ignore[arg-type]
    total.key()  # type: ignore[call-arg]
    assert_type(rate("usd"), float)
    assert_type(rate.refresh("usd"), float)
    assert_type(rate.invalidate("usd"), None)
    rate(1)  # type: ignore[arg-type]

    class Shop:
        @cache.cached()
        async def price(self, product: int) -> str:
            return ""

        @cache.cached()
        def sync_price(self, product: int) -> str:
            return ""

        @staticmethod
        @cache.cached()
        async def tax(country: str) -> int:
            return 1

    shop = Shop()
    assert_type(await shop.price(1), str)
    assert_type(await shop.price.refresh(1), str)
    assert_type(shop.price.key(1), str)
    assert_type(await Shop.price(shop, 1), str)
    assert_type(shop.sync_price(1), str)
    assert_type(await Shop.tax("ko"), int)
    await shop.price("1")  # type: ignore[arg-type]
    assert_type(await cache.invalidate("order:1"), None)
    assert_type(await cache.warm(total, [1, 2]), int)
    assert_type(cache.stats().hit_rate, float)


def connecting(url: str) -> None:
    engine = create_async_engine(url, workers=4, size=5, echo=True)
    assert_type(engine, AsyncEngine)
    assert_type(session_factory(engine), async_sessionmaker[AsyncSession])
    threaded = create_sync_engine(url, background=True)
    assert_type(threaded, Engine)
    assert_type(session_factory(threaded), sessionmaker[Session])
    assert_type(pool_status(engine), PoolStatus)
    session_factory(create_engine(url, workers=4))
