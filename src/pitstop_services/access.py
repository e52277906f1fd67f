"""Who may change things: a request that carries the administrator's token."""

import secrets
from typing import Annotated

from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

__all__ = ["Admin"]

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
