"""cashews: in memory, in Redis, and each of its ways to guard a load."""

from collections.abc import Mapping, Sequence

from cashews import Cache

from benchmarks.cache.subjects.subject import TTL, Commit, Load, Order, Subject


class Redis(Subject):
    name = "cashews"
    answers = frozenset({"redis", "stampede", "many", "race", "hang"})
    setup: Mapping[str, object] = {}

    async def start(self, url: str, *, prefix: str) -> None:
        self._prefix, self._cache = prefix, Cache()
        self._cache.setup(url, **self.setup)
        await self._cache.init()

    async def close(self) -> None:
        await self._cache.close()

    def wrap(self, load: Load) -> Load:
        return self._cache(ttl=TTL, key=f"{self._prefix}:item:{{key}}")(load)

    async def forget(self, key: int) -> None:
        await self._cache.delete(f"{self._prefix}:item:{key}")

    async def set_many(self, orders: Mapping[int, Order]) -> None:
        await self._cache.set_many({f"{self._prefix}:{k}": order for k, order in orders.items()}, expire=TTL)

    async def get_many(self, keys: Sequence[int]) -> object:
        return await self._cache.get_many(*(f"{self._prefix}:{key}" for key in keys))


class Memory(Redis):
    name = "cashews mem"
    answers = frozenset({"hits", "memory"})

    async def start(self, url: str, *, prefix: str) -> None:
        await super().start("mem://?size=1000", prefix=prefix)


class TagOfItem(Redis):
    name = "cashews, tags"
    answers = frozenset({"race"})
    tag = "item:{key}"

    def wrap(self, load: Load) -> Load:
        return self._cache(ttl=TTL, key=f"{self._prefix}:item:{{key}}", tags=(self.tag,))(load)

    async def forget(self, key: int) -> None:
        await self._cache.delete_tags(f"item:{key}")


class TagOfAll(TagOfItem):
    answers = frozenset({"tags"})
    tag = "items"

    async def clear(self) -> None:
        await self._cache.delete_tags("items")

    def raw(self, key: int) -> tuple[str, str | None]:
        return f"{self._prefix}:item:{key}", "_tag:items"


class Lock(Redis):
    name = "cashews, lock=True"
    answers = frozenset({"stampede", "race"})

    def wrap(self, load: Load) -> Load:
        return self._cache(ttl=TTL, key=f"{self._prefix}:item:{{key}}", lock=True)(load)


class Early(TagOfItem):
    name = "cashews, early"
    answers = frozenset({"stampede", "race"})

    def wrap(self, load: Load) -> Load:
        key = f"{self._prefix}:item:{{key}}"
        return self._cache.early(ttl=TTL, early_ttl=TTL // 2, key=key, tags=(self.tag,))(load)


class Transaction(Redis):
    name = "cashews, transaction"
    answers = frozenset({"race"})

    async def write(self, key: int, commit: Commit) -> None:
        async with self._cache.transaction():
            await self.forget(key)
            await commit()


class ClientSide(Redis):
    name = "cashews, client_side"
    answers = frozenset({"race", "hang"})
    setup: Mapping[str, object] = {"client_side": True}


class ClientSideResp2(ClientSide):
    name = "cashews, client_side over RESP2"
    setup: Mapping[str, object] = {"client_side": True, "protocol": 2}


SUBJECTS = (Memory, Redis, TagOfItem, TagOfAll, Lock, Early, Transaction, ClientSide, ClientSideResp2)
