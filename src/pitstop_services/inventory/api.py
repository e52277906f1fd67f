"""The application: one form at the root, or all of them side by side."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse

from pitstop.errors import CursorError
from pitstop_services.access import configured_token
from pitstop_services.assembly import check_form, include
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
    check_form(form, ROUTERS, service="inventory")
    app = FastAPI(title="Pitstop's inventory", summary=f"form: {form}", lifespan=_lifespan)
    connect(app, database_url, service="inventory")
    app.state.admin_token = admin_token or configured_token()
    app.add_exception_handler(CursorError, _refuse_cursor)
    include(app, form, ROUTERS)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    await disconnect(app)


async def _refuse_cursor(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": f"{error}"}, 422)
