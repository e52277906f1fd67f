"""The application: one form at the root, or all of them side by side."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse
from sqlalchemy.orm import sessionmaker

from pitstop.errors import CursorError, SettingsError
from pitstop.settings import load_settings
from pitstop.sql import peer_loading
from pitstop_services.engines import connect, disconnect
from pitstop_services.inventory import naive, tuned

__all__ = ["ROUTERS", "Form", "create_app"]

Form = Literal["naive", "naive-peers", "tuned", "all"]

# form -> its prefix beside the others, and its endpoints
ROUTERS: dict[str, tuple[str, APIRouter]] = {
    "naive": ("/naive", naive.router),
    "naive-peers": ("/naive-peers", naive.router),
    "tuned": ("", tuned.router),
}


def create_app(
    form: Form | str = "all",
    *,
    database_url: str | None = None,
    redis_url: str | None = None,
    admin_token: str | None = None,
) -> FastAPI:
    """Make the inventory's application; nothing connects before the first request.

    Args:
        form: one form, served at the root, or ``"all"``: naive under ``/naive``, naive with peer loading
            under ``/naive-peers``, tuned at the root.
        database_url: any spelling of a PostgreSQL URL; None reads ``PITSTOP_DATABASE_URL``.
        redis_url: every service takes one; none of these forms uses it.
        admin_token: what a bulk update must carry; None reads ``PITSTOP_ADMIN_TOKEN``, without which
            there is no bulk update.

    Raises:
        SettingsError: there is no such form, or no database to serve from.
    """
    if form != "all" and form not in ROUTERS:
        raise SettingsError(f"no form {form!r} of the inventory: use {', '.join(ROUTERS)} or all")
    app = FastAPI(title="Pitstop's inventory", summary=f"form: {form}", lifespan=_lifespan)
    connect(app, database_url, service="inventory")
    app.state.admin_token = admin_token or _configured_token()
    app.add_exception_handler(CursorError, _refuse_cursor)
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
    inner.state.admin_token = app.state.admin_token
    peer_loading(inner.state.sessions)
    return inner


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    await disconnect(app)


async def _refuse_cursor(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": f"{error}"}, 422)


def _configured_token() -> str | None:
    token = load_settings().admin_token
    return None if token is None else token.get_secret_value()
