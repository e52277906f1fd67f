"""The application: one form at the root, or all of them side by side."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal, cast

from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pitstop import Cache
from pitstop_services.assembly import check_form, include
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
    check_form(form, ROUTERS, service="blog")
    app = FastAPI(title="Pitstop's blog", summary=f"form: {form}", lifespan=_lifespan)
    connect(app, database_url, service="blog")
    if form in ("cached", "all"):
        app.state.cache = cached.make_cache(
            str(app.state.engine.url.database), redis_url=redis_url or configured_redis()
        )
    include(app, form, ROUTERS, mounted={"cached": _with_cache})
    if form == "cached":
        app.add_middleware(app.state.cache.responses(namespace=cached.NAMESPACE))
    if form == "all":
        app.add_middleware(_Telling, cache=app.state.cache)
    return app


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
