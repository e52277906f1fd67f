"""A blog seeded once, a clone of it for each test, and a client for each form."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from pitstop.servers import Servers, create_template
from pitstop_services.blog.api import create_app
from pitstop_services.blog.seed import seed


@pytest.fixture(scope="session")
def pitstop_template(pitstop_servers: Servers) -> str:
    return create_template(pitstop_servers.sync_database_url, "blog", seed=seed)


@pytest.fixture
def app(database_url: str) -> FastAPI:
    return create_app(database_url=database_url)


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://blog") as client,
    ):
        # so that no test counts what SQLAlchemy asks a server first
        for prefix in ("", "/sync", "/read-models", "/cached"):
            await client.get(f"{prefix}/posts?limit=1")
        yield client
