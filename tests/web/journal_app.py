"""Applications that serve the journal, for the tests of implicit loading."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

import httpx
from fastapi import APIRouter, Depends, FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from starlette.responses import JSONResponse

from tests.sql.journal import Post, PostOut, eagerly

PATHS = ["/lazy", "/custom", "/included/lazy", "/mounted/lazy"]


@asynccontextmanager
async def client(app: Any) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://journal") as opened:
        yield opened


async def get(app: Any, path: str) -> httpx.Response:
    async with client(app) as opened:
        return await opened.get(path)


def session_of(engine: AsyncEngine) -> Any:
    async def session() -> AsyncIterator[AsyncSession]:
        async with AsyncSession(engine) as opened:
            yield opened

    return Annotated[AsyncSession, Depends(session)]


def whole(engine: AsyncEngine, cover: Callable[[Any], Any] = lambda endpoint: endpoint) -> FastAPI:
    """The posts, lazily and eagerly, by an application, an included router and a mounted application."""
    app, sub, router = FastAPI(), FastAPI(), APIRouter()
    DB = session_of(engine)

    @cover
    async def lazy(session: DB) -> Any:
        """All posts."""
        return (await session.scalars(select(Post).order_by(Post.id))).all()

    async def eager(session: DB) -> Any:
        return (await session.scalars(select(Post).order_by(Post.id).options(*eagerly()))).all()

    router.get("/lazy", response_model=list[PostOut])(lazy)
    app.include_router(router, prefix="/included")
    app.get("/lazy", response_model=list[PostOut])(lazy)
    app.get("/custom", response_model=list[PostOut], response_class=JSONResponse)(lazy)
    app.get("/eager", response_model=list[PostOut])(eager)
    sub.get("/lazy", response_model=list[PostOut])(lazy)
    app.mount("/mounted", sub)
    return app
