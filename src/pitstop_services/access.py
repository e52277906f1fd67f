"""Who may change things: a request that carries the administrator's token."""

import secrets
from typing import Annotated

from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from pitstop.settings import load_settings

__all__ = ["Admin", "configured_token"]

Credentials = Annotated[
    HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False, description="the admin token"))
]


def _check(request: Request, credentials: Credentials) -> None:
    token: str | None = request.app.state.admin_token
    if token is None:
        raise HTTPException(403, "no admin token is set: start the service with PITSTOP_ADMIN_TOKEN")
    if credentials is None:
        raise HTTPException(401, "send the admin token as a bearer token", {"WWW-Authenticate": "Bearer"})
    if not secrets.compare_digest(credentials.credentials.encode(), token.encode()):
        raise HTTPException(403, "this is not the admin token")


Admin = Depends(_check)


def configured_token() -> str | None:
    """The token in ``PITSTOP_ADMIN_TOKEN``."""
    token = load_settings().admin_token
    return None if token is None else token.get_secret_value()
