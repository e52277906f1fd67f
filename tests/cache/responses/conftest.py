"""Fixtures of the tests of whole responses."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from pitstop.cache import Cache
from tests.cache.conftest import OpenCache
from tests.cache.responses.site import Serve, Site


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Makes a client of an application."""
    async with AsyncExitStack() as stack:

        async def made(app: Any) -> httpx.AsyncClient:
            transport = httpx.ASGITransport(app, raise_app_exceptions=True)
            client = httpx.AsyncClient(transport=transport, base_url="http://site")
            client.headers.pop("accept-encoding", None)
            client.headers["accept-encoding"] = "identity"
            return await stack.enter_async_context(client)

        yield made


@pytest.fixture
async def cache() -> AsyncIterator[Cache]:
    async with Cache(redis=None) as cache:
        yield cache


@pytest.fixture
async def workers(open_cache: OpenCache, redis_url: str) -> list[Cache]:
    """Two caches on one Redis, as two workers have them."""
    caches = [open_cache(redis=redis_url) for _ in range(2)]
    for each in caches:
        await each.start()
    return caches
