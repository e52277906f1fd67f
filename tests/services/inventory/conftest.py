"""An inventory seeded once, a clone of it for each test, and a client for all forms side by side."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from pitstop.servers import Servers, create_template
from pitstop_services.inventory.api import create_app
from pitstop_services.inventory.seed import seed

ADMIN_TOKEN = "open sesame"


@pytest.fixture(scope="session")
def pitstop_template(pitstop_servers: Servers) -> str:
    return create_template(pitstop_servers.sync_database_url, "inventory", seed=seed)


@pytest.fixture
def app(database_url: str) -> FastAPI:
    return create_app(database_url=database_url, admin_token=ADMIN_TOKEN)


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://inventory",
            headers={"Authorization": f"Bearer {ADMIN_TOKEN}"},
        ) as client,
    ):
        # so that no test counts what SQLAlchemy asks a server first
        for prefix in ("", "/naive"):
            await client.get(f"{prefix}/inventory?limit=1")
        yield client
