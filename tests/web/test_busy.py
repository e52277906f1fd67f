"""503 with Retry-After when a pool is exhausted; nothing else is touched."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from sqlalchemy import text

from pitstop import Pitstop, create_engine
from pitstop.errors import PoolExhausted
from pitstop.store import read_store
from pitstop.web import BusyMiddleware


async def get(app: Any, path: str = "/") -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://shop") as client:
        return await client.get(path)


async def exhausted(_: Any, __: Any, ___: Any) -> None:
    raise PoolExhausted("pool 'shop' is exhausted", retry_after_s=7)


async def test_an_exhausted_pool_is_503() -> None:
    """The client is told when to come again, and nothing of the inside."""
    answer = await get(BusyMiddleware(exhausted))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {"detail": "too many requests at once, try again in 7 s"}


async def test_the_log_tells_once(caplog: pytest.LogCaptureFixture) -> None:
    """A flood of refused requests is one line in ten seconds."""
    app = BusyMiddleware(exhausted)
    with caplog.at_level(logging.ERROR, "pitstop.pool"):
        for _ in range(5):
            await get(app)
    assert [each.message for each in caplog.records] == ["answered 503: pool 'shop' is exhausted"]


async def test_a_response_that_began_goes_on_to_fail() -> None:
    """What was sent cannot be taken back: the error reaches the server."""
    app = FastAPI()

    async def rows() -> AsyncIterator[bytes]:
        yield b"first"
        raise PoolExhausted("pool 'shop' is exhausted")

    @app.get("/")
    async def stream() -> StreamingResponse:
        return StreamingResponse(rows())

    with pytest.raises(PoolExhausted):
        await get(BusyMiddleware(app))


async def test_other_errors_pass() -> None:
    """An error of another kind is nobody's business here."""

    async def broken(_: Any, __: Any, ___: Any) -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await get(BusyMiddleware(broken))


async def test_twenty_requests_on_a_pool_of_two(database_url: str, tmp_path: Path) -> None:
    """Behind ``Pitstop(app)``: two requests hold on, eighteen get 503 in time, then all is well again."""
    engine = create_engine(database_url, size=2, overflow=0, timeout_s=0.3)
    app, release, held = FastAPI(), asyncio.Event(), asyncio.Semaphore(0)

    @app.get("/slow")
    async def slow() -> int:
        async with engine.connect() as connection:
            held.release()
            await release.wait()
            return int(await connection.scalar(text("select 7")))

    with Pitstop(app, engine=engine, store=tmp_path) as pitstop:
        holders = [asyncio.create_task(get(app, "/slow")) for _ in range(2)]
        for _ in holders:
            await asyncio.wait_for(held.acquire(), 30)
        refused = await asyncio.wait_for(asyncio.gather(*(get(app, "/slow") for _ in range(18))), 30)
        release.set()
        served = [*await asyncio.gather(*holders), await get(app, "/slow")]
        pitstop.flush()
        scope = read_store(tmp_path).scopes["request", "GET /slow"]
    await engine.dispose()
    assert {each.status_code for each in refused} == {503}
    assert [each.text for each in served] == ["7"] * 3
    assert (scope.count, scope.errors) == (21, 18)
