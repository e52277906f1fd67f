"""redis-py by hand: what every cache stands on, and the bare connection below it."""

import asyncio
import json
import os
from collections import deque
from collections.abc import Mapping, Sequence

import hiredis
from redis.asyncio import Redis as Client
from redis.connection import parse_url

from benchmarks.cache.subjects.subject import TTL, Load, Order, Subject


class Get(Subject):
    name = "redis-py GET, nothing decoded"
    answers = frozenset({"redis"})

    async def start(self, url: str, *, prefix: str) -> None:
        self._client, self._prefix = Client.from_url(url), prefix

    async def close(self) -> None:
        await self._client.aclose()

    def decode(self, value: bytes) -> object:
        return value

    def wrap(self, load: Load) -> Load:
        async def get(key: int) -> object:
            value = await self._client.get(f"{self._prefix}:{key}")
            if value is not None:
                return self.decode(value)
            order = await load(key)
            await self._client.set(f"{self._prefix}:{key}", json.dumps(order), ex=TTL)
            return order

        return get


class ByHand(Get):
    name = "redis-py by hand: GET, SET, DEL, json"
    answers = frozenset({"redis", "stampede", "many", "race", "hang"})

    def decode(self, value: bytes) -> object:
        return json.loads(value)

    async def forget(self, key: int) -> None:
        await self._client.delete(f"{self._prefix}:{key}")

    async def set_many(self, orders: Mapping[int, Order]) -> None:
        await self._client.mset({f"{self._prefix}:{key}": json.dumps(o) for key, o in orders.items()})

    async def get_many(self, keys: Sequence[int]) -> object:
        values = await self._client.mget([f"{self._prefix}:{key}" for key in keys])
        return [json.loads(value) for value in values]


class Token(ByHand):
    name = "redis-py SET of one token (limit)"
    answers = frozenset({"tags"})

    async def clear(self) -> None:
        await self._client.set(f"{self._prefix}:t:item", os.urandom(8))

    def raw(self, key: int) -> tuple[str, str | None]:
        return f"{self._prefix}:{key}", None


class Wire(asyncio.Protocol):
    """One connection that writes commands as they come and matches replies in their order."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport, self._reader = transport, hiredis.Reader()
        self._waiting: deque[asyncio.Future[object]] = deque()

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while (reply := self._reader.gets()) is not False:
            self._waiting.popleft().set_result(reply)

    def send(self, *command: object) -> asyncio.Future[object]:
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._transport.write(hiredis.pack_command(command))  # type: ignore[attr-defined]
        return future

    def close(self) -> None:
        self._transport.close()


class Bare(Get):
    name = "asyncio + hiredis GET (limit)"
    answers = frozenset({"redis"})

    async def start(self, url: str, *, prefix: str) -> None:
        await super().start(url, prefix=prefix)
        address = parse_url(url)
        loop = asyncio.get_running_loop()
        _, self._wire = await loop.create_connection(Wire, address["host"], address["port"])
        if password := address.get("password"):
            await self._wire.send("AUTH", password)

    def wrap(self, load: Load) -> Load:
        fill, wire, prefix = super().wrap(load), self._wire, self._prefix

        async def get(key: int) -> object:
            return await wire.send("GET", f"{prefix}:{key}") or await fill(key)

        return get

    async def close(self) -> None:
        self._wire.close()
        await super().close()


SUBJECTS = (Bare, Get, ByHand, Token)
