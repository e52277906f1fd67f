"""The applications that ``cache_responses.py`` serves; ``VARIANT`` says which.

All send the same body of 2 KB: a bare ASGI application a constant, with the headers of a kept response; a
FastAPI endpoint makes it; the last keeps it.
"""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fastapi import FastAPI

from pitstop.cache import Cache

POST = {
    "id": 7,
    "title": "Why is my stout flat?",
    "body": "It was bottled three weeks ago and kept at cellar temperature. " * 30,
    "comments": [{"id": number, "score": number * 3} for number in range(8)],
}
made = FastAPI()


@made.get("/post")
async def post() -> dict[str, Any]:
    return POST


def recorded() -> list[dict[str, Any]]:
    """The very messages that the kept response is sent as."""
    messages: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        messages.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/post",
        "query_string": b"",
        "scheme": "http",
        "headers": [(b"host", b"localhost")],
    }
    answer = Cache(enabled=True).responses(ttl=600)(made)(scope, receive, send)
    with ThreadPoolExecutor(1) as apart:  # the server makes the application while its loop runs
        apart.submit(asyncio.run, answer).result()
    return messages


def bare() -> Any:
    start, body = recorded()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send(start)
            await send(body)

    return app


def app() -> Any:
    variant = os.environ["VARIANT"]
    if variant.startswith("bare"):
        return bare()
    if variant == "fastapi":
        return made
    redis = os.environ["REDIS_URL"] if variant == "pitstop strict" else None
    return Cache(redis=redis).responses(ttl=600)(made)
