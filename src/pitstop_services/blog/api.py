"""The application: one form at the root, or all of them side by side."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal, cast

from fastapi import APIRouter, FastAPI
from sqlalchemy.orm import sessionmaker
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pitstop import Cache
from pitstop.errors import SettingsError
from pitstop.sql import peer_loading
from pitstop_services.blog import cached, naive, naive_async, read_models, tuned, tuned_sync
from pitstop_services.engines import configured_redis, connect, disconnect

__all__ = ["ROUTERS", "Form", "create_app"]

Form = Literal["naive", "naive-async", "naive-peers", "tuned-sync", "read-models", "tuned", "cached", "all"]

# form -> its prefix beside the others, and its endpoints
ROUTERS: dict[str, tuple[str, APIRouter]] = {
    "naive": ("/naive", naive.router),
    "naive-async": ("/naive-async", naive_async.router),
    "naive-peers": ("/naive-peers", naive.router),
    "tuned-sync": ("/sync", tuned_sync.router),
    "read-models": ("/read-models", read_models.router),
    "tuned": ("", tuned.router),
    "cached": ("/cached", cached.router),
}


def create_app(
    form: Form | str = "all", *, database_url: str | None = None, redis_url: str | None = None
) -> FastAPI:
    """Make the blog's application; nothing connects before the first request.

    Args:
        form: one form, served at the root, or ``"all"``: naive under ``/naive``, naive with
            asyncio under ``/naive-async``, naive with peer loading under ``/naive-peers``, tuned without
            asyncio under ``/sync``, read models under ``/read-models``, cached under ``/cached``, tuned at
            the root.
        database_url: any spelling of a PostgreSQL URL; None reads ``PITSTOP_DATABASE_URL``.
        redis_url: for the cache; None reads ``PITSTOP_REDIS_URL``, without which it is in this process alone.

    Raises:
        SettingsError: there is no such form, or no database to serve from.
    """
    if form != "all" and form not in ROUTERS:
        raise SettingsError(f"no form {form!r} of the blog: use {', '.join(ROUTERS)} or all")
    app = FastAPI(title="Pitstop's blog", summary=f"form: {form}", lifespan=_lifespan)
    connect(app, database_url, service="blog")
    if form in ("cached", "all"):
        app.state.cache = cached.make_cache(
            str(app.state.engine.url.database), redis_url=redis_url or configured_redis()
        )
    for each, (prefix, router) in ROUTERS.items():
        if form == "all" and each == "naive-peers":
            app.mount(prefix, _with_peers(app))
        elif form == "all" and each == "cached":
            app.mount(prefix, _with_cache(app))
        elif form == "all":
            app.include_router(router, prefix=prefix, tags=[each])
        elif form == each:
            app.include_router(router)
    if form == "naive-peers":
        peer_loading(app.state.sessions)
    if form == "cached":
        app.add_middleware(app.state.cache.responses(namespace=cached.NAMESPACE))
    if form == "all":
        app.add_middleware(_Telling, cache=app.state.cache)
    return app


def _with_peers(app: FastAPI) -> FastAPI:
    """The naive endpoints as they are, on sessions of their own that load for all rows at once."""
    inner = FastAPI(title=app.title, summary="form: naive-peers")
    inner.include_router(naive.router)
    inner.state.sessions = sessionmaker(app.state.engine)
    peer_loading(inner.state.sessions)
    return inner


def _with_cache(app: FastAPI) -> ASGIApp:
    """The cached endpoints, beside forms that write without its knowledge (see ``_Telling``)."""
    inner = FastAPI(title=app.title, summary="form: cached")
    inner.include_router(cached.router)
    inner.state = app.state
    return cast("ASGIApp", app.state.cache.responses(namespace=cached.NAMESPACE)(inner))


class _Telling:
    """Lets the cache know of writes by the forms that use no session: before their answer is sent."""

    def __init__(self, app: ASGIApp, *, cache: Cache) -> None:
        self._app = app
        self._cache = cache

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                await self._cache.invalidate_namespace(cached.NAMESPACE)
            await send(message)

        writes = scope["type"] == "http" and scope["method"] in ("POST", "PUT")
        await self._app(scope, receive, told if writes else send)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    cache = getattr(app.state, "cache", None)
    if cache is not None:  # what another run left may be of other data
        await cache.invalidate_namespace(cached.NAMESPACE)
    yield
    if cache is not None:
        await cache.close()
    await disconnect(app)
