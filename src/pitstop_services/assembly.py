"""Puts the forms of a service into its application: one at the root, or all of them side by side."""

from collections.abc import Callable, Mapping

from fastapi import APIRouter, FastAPI
from sqlalchemy.orm import sessionmaker
from starlette.types import ASGIApp

from pitstop.errors import SettingsError
from pitstop.sql import peer_loading
from pitstop.web import BusyMiddleware

__all__ = ["check_form", "include"]

Routers = Mapping[str, tuple[str, APIRouter]]  # form -> its prefix beside the others, and its endpoints
PEERS = "naive-peers"  # the naive endpoints as they are, on sessions that load for all rows at once


def check_form(form: str, routers: Routers, *, service: str) -> None:
    """See that there is a form of that name.

    Raises:
        SettingsError: there is not.
    """
    if form != "all" and form not in routers:
        raise SettingsError(f"no form {form!r} of the {service}: use {', '.join(routers)} or all")


def include(
    app: FastAPI,
    form: str,
    routers: Routers,
    *,
    mounted: Mapping[str, Callable[[FastAPI], ASGIApp]] | None = None,
) -> None:
    """Add the endpoints of a form, or of all; the application is connected.

    Args:
        form: its name, or ``"all"``.
        mounted: what makes an application of its own, to stand beside the others, of a form that needs one.
    """
    if form == "all":
        _include_all(
            app, routers, {PEERS: lambda outer: _with_peers(outer, routers[PEERS][1]), **(mounted or {})}
        )
    else:
        app.include_router(routers[form][1])
    if form == PEERS:
        peer_loading(app.state.sessions)
    if not form.startswith("naive"):
        app.add_middleware(BusyMiddleware)  # whoever waits for one of Pitstop's connections in vain gets 503


def _include_all(app: FastAPI, routers: Routers, mounted: Mapping[str, Callable[[FastAPI], ASGIApp]]) -> None:
    for form, (prefix, router) in routers.items():
        if form in mounted:
            app.mount(prefix, mounted[form](app))
        else:
            app.include_router(router, prefix=prefix, tags=[form])


def _with_peers(app: FastAPI, router: APIRouter) -> FastAPI:
    inner = FastAPI(title=app.title, summary=f"form: {PEERS}")
    inner.include_router(router)
    inner.state.sessions = sessionmaker(app.state.plain_engine)
    inner.state.admin_token = getattr(app.state, "admin_token", None)
    peer_loading(inner.state.sessions)
    return inner
