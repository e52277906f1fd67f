"""The application: one form at the root, or all of them side by side."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

from fastapi import APIRouter, FastAPI
from sqlalchemy import create_engine, make_url
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import sessionmaker

from pitstop.errors import SettingsError
from pitstop.settings import load_settings
from pitstop.sql import peer_loading
from pitstop_services.blog import naive, naive_async, read_models, tuned, tuned_sync

__all__ = ["ROUTERS", "Form", "create_app"]

Form = Literal["naive", "naive-async", "naive-peers", "tuned-sync", "read-models", "tuned", "all"]

# form -> its prefix beside the others, and its endpoints
ROUTERS: dict[str, tuple[str, APIRouter]] = {
    "naive": ("/naive", naive.router),
    "naive-async": ("/naive-async", naive_async.router),
    "naive-peers": ("/naive-peers", naive.router),
    "tuned-sync": ("/sync", tuned_sync.router),
    "read-models": ("/read-models", read_models.router),
    "tuned": ("", tuned.router),
}

# FastAPI runs sync endpoints in 40 threads; a thread that waits for a connection while another
# waits for a thread to give its connection back is a deadlock, so there is a connection for each.
THREADS = 40
ASYNC_CONNECTIONS = 10  # more would only queue in PostgreSQL instead of here


def create_app(form: Form | str = "all", *, database_url: str | None = None) -> FastAPI:
    """Make the blog's application; nothing connects before the first request.

    Args:
        form: one form, served at the root, or ``"all"``: naive under ``/naive``, naive with
            asyncio under ``/naive-async``, naive with peer loading under ``/naive-peers``, tuned without
            asyncio under ``/sync``, read models under ``/read-models``, tuned at the root.
        database_url: any spelling of a PostgreSQL URL; None reads ``PITSTOP_DATABASE_URL``.

    Raises:
        SettingsError: there is no such form, or no database to serve from.
    """
    if form != "all" and form not in ROUTERS:
        raise SettingsError(f"no form {form!r} of the blog: use {', '.join(ROUTERS)} or all")
    app = FastAPI(title="Pitstop's blog", summary=f"form: {form}", lifespan=_lifespan)
    _connect(app, database_url or _configured_url())
    for each, (prefix, router) in ROUTERS.items():
        if form == "all" and each == "naive-peers":
            app.mount(prefix, _with_peers(app))
        elif form == "all":
            app.include_router(router, prefix=prefix, tags=[each])
        elif form == each:
            app.include_router(router)
    if form == "naive-peers":
        peer_loading(app.state.sessions)
    return app


def _with_peers(app: FastAPI) -> FastAPI:
    """The naive endpoints as they are, on sessions of their own that load for all rows at once."""
    inner = FastAPI(title=app.title, summary="form: naive-peers")
    inner.include_router(naive.router)
    inner.state.sessions = sessionmaker(app.state.engine)
    peer_loading(inner.state.sessions)
    return inner


def _connect(app: FastAPI, database_url: str) -> None:
    """Make both engines; ``reads`` go without a transaction, since each is one statement."""
    url = make_url(database_url)
    app.state.engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=THREADS,
        max_overflow=0,
        connect_args={"options": "-c timezone=UTC"},
    )
    app.state.async_engine = create_async_engine(
        url.set(drivername="postgresql+asyncpg"),
        pool_size=ASYNC_CONNECTIONS,
        max_overflow=0,
        connect_args={"server_settings": {"timezone": "UTC"}},
    )
    app.state.reads = app.state.engine.execution_options(isolation_level="AUTOCOMMIT")
    app.state.async_reads = app.state.async_engine.execution_options(isolation_level="AUTOCOMMIT")
    app.state.sessions = sessionmaker(app.state.engine)
    app.state.async_sessions = async_sessionmaker(app.state.async_engine, expire_on_commit=False)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    await app.state.async_engine.dispose()
    app.state.engine.dispose()


def _configured_url() -> str:
    url = load_settings().database_url
    if url is None:
        raise SettingsError(
            "no database to serve the blog from: give database_url, set PITSTOP_DATABASE_URL, "
            "or run 'pitstop serve blog'"
        )
    return url.get_secret_value()
