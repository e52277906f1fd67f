"""Responses under way: streams, events, other methods, errors, and callers who wait together."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import BackgroundTasks, FastAPI, Request, Response
from fastapi.responses import StreamingResponse

from pitstop.cache import Cache
from tests.cache.responses.site import Serve


async def test_callers_share_one_load(cache: Cache, serve: Serve) -> None:
    """Fifty clients of a cold response: one run of the application."""
    app, asked = FastAPI(), []

    @app.get("/slow")
    async def slow() -> str:
        asked.append(1)
        await asyncio.sleep(0.05)
        return "done"

    client = await serve(cache.responses(ttl=60)(app))
    replies = await asyncio.gather(*[client.get("/slow") for _ in range(50)])
    assert {each.json() for each in replies} == {"done"}
    assert len(asked) == 1


async def test_what_cannot_be_kept_does_not_queue(cache: Cache, serve: Serve) -> None:
    """Clients that waited for what turned out to be somebody's own each get their own, side by side."""
    app, most, now = FastAPI(), [0], [0]

    @app.get("/own")
    async def own(response: Response) -> int:
        now[0] += 1
        most[0] = max(most[0], now[0])
        await asyncio.sleep(0.05)
        now[0] -= 1
        response.set_cookie("session", "x")
        return 1

    client = await serve(cache.responses(ttl=60)(app))
    replies = await asyncio.gather(*[client.get("/own") for _ in range(20)])
    assert all("set-cookie" in each.headers for each in replies)
    assert most[0] == 19


async def test_large_bodies_are_streamed_and_compressed(cache: Cache, serve: Serve) -> None:
    """A body above the bound is sent as it comes, compressed piece by piece, and not kept."""
    app, asked = FastAPI(), []
    pieces = [bytes([65 + n]) * 70_000 for n in range(20)]

    @app.get("/big")
    async def big() -> Response:
        asked.append(1)

        async def parts() -> AsyncIterator[bytes]:
            for each in pieces:
                yield each

        return StreamingResponse(parts(), media_type="text/plain")

    client = await serve(cache.responses(ttl=60)(app))
    for encoding in ("gzip", "zstd", "identity"):
        reply = await client.get("/big", headers={"accept-encoding": encoding})
        assert reply.headers.get("content-encoding", "identity") == encoding
        assert "content-length" not in reply.headers
        assert reply.content == b"".join(pieces)
    assert len(asked) == 3


async def test_a_stream_does_not_wait_for_its_end(cache: Cache) -> None:
    """The pieces of a slow stream reach the client while it goes on; so does what it says of its leaving."""
    goes_on, gone = asyncio.Event(), asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}
        )
        await send({"type": "http.response.body", "body": b"first ", "more_body": True})
        await goes_on.wait()
        await send({"type": "http.response.body", "body": b"second" * 200, "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        gone.set()

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "query_string": b"",
        "scheme": "http",
        "headers": [(b"accept-encoding", b"gzip")],
    }
    sent: asyncio.Queue[Any] = asyncio.Queue()
    left = asyncio.Event()

    async def receive() -> Any:
        await left.wait()
        return {"type": "http.disconnect"}

    serving = asyncio.create_task(cache.responses(ttl=60)(app)(scope, receive, sent.put))
    assert (await sent.get())["status"] == 200
    unpacked = zlib.decompressobj(31)
    assert unpacked.decompress((await sent.get())["body"]) == b"first "
    goes_on.set()
    assert unpacked.decompress((await sent.get())["body"]) == b"second" * 200
    left.set()
    await serving
    assert gone.is_set()


async def test_events_begin_at_once(cache: Cache) -> None:
    """The headers of an event stream reach the client before there is an event."""
    ends = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await ends.wait()
        await send({"type": "http.response.body", "body": b""})

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"accept-encoding", b"gzip")]}
    sent: asyncio.Queue[Any] = asyncio.Queue()
    serving = asyncio.create_task(cache.responses(ttl=60)(app)(scope, ends.wait, sent.put))  # type: ignore[arg-type]
    assert (await sent.get())["headers"] == [(b"content-type", b"text/event-stream")]
    ends.set()
    await serving


async def test_an_error_of_the_application_is_everybodys(cache: Cache, serve: Serve) -> None:
    """What the application raises reaches the server, and the next request tries again."""
    app, asked = FastAPI(), []

    @app.get("/fails")
    async def fails() -> str:
        asked.append(1)
        raise LookupError("nothing there")

    client = await serve(cache.responses(ttl=60)(app))
    for _ in range(2):
        with pytest.raises(LookupError, match="nothing there"):
            await client.get("/fails")
    assert len(asked) == 2


async def test_background_tasks_do_not_delay(cache: Cache, serve: Serve) -> None:
    """The client has its response while the work behind it goes on."""
    app, go, done = FastAPI(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        await go.wait()
        done.set()

    @app.get("/working")
    async def working(tasks: BackgroundTasks) -> str:
        tasks.add_task(work)
        return "soon"

    client = await serve(cache.responses(ttl=60)(app))
    assert (await client.get("/working")).json() == "soon"
    assert not done.is_set()
    go.set()
    await done.wait()


async def test_posts_are_compressed_and_not_kept(cache: Cache, serve: Serve) -> None:
    """Other methods pass, compressed, with their Vary."""
    app = FastAPI()

    @app.post("/post")
    async def post(request: Request) -> str:
        return (await request.body()).decode() * 500

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(cache.responses(ttl=60)(app)), base_url="http://site"
    ) as client:
        for each in ("a", "b"):
            async with client.stream(
                "POST", "/post", content=each, headers={"accept-encoding": "gzip"}
            ) as reply:
                raw = b"".join([part async for part in reply.aiter_raw()])
            assert gzip.decompress(raw).decode() == f'"{each * 500}"'
            assert reply.headers["vary"] == "accept-encoding"
