"""A server that knows what it did: run as a script on an inherited socket, for tests of the load."""

import asyncio
import os
import socket
import sys
import time

import psycopg
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

DELAY_S = float(os.environ["DELAY_S"])
durations: list[float] = []


async def sleep(request: Request) -> Response:
    begun = time.perf_counter()
    await asyncio.sleep(DELAY_S)
    durations.append(time.perf_counter() - begun)
    return PlainTextResponse("slept")


async def measured(request: Request) -> Response:
    ordered = sorted(durations)
    return JSONResponse({"count": len(ordered), "p50_ms": ordered[len(ordered) // 2] * 1000})


async def fail(request: Request) -> Response:
    return PlainTextResponse("no", status_code=500)


def ask(request: Request) -> Response:
    with psycopg.connect(os.environ["DSN"]) as connection:
        for number in range(3):
            connection.execute("SELECT %s::int", [number])
    return PlainTextResponse("asked")


paths = {"/sleep": sleep, "/measured": measured, "/fail": fail, "/ask": ask}
app = Starlette(routes=[Route(path, endpoint) for path, endpoint in paths.items()])

if __name__ == "__main__":
    server = uvicorn.Server(uvicorn.Config(app, access_log=False, log_level="warning"))
    server.run(sockets=[socket.socket(fileno=int(sys.argv[1]))])
