"""Invalidation by hand: by arguments, tag, family, namespace, pattern and event; values given by hand."""

import asyncio

import pytest

from pitstop.cache import Cache
from pitstop.errors import SettingsError, UncacheableValue
from tests.cache.conftest import OpenCache


class Numbers:
    """Cached functions of a cache, and how often they were called."""

    def __init__(self, cache: Cache) -> None:
        self.calls: list[str] = []

        @cache.cached(ttl=60, tags=["order:{n}"], namespace="orders", key="order:{n}")
        async def order(n: int) -> int:
            self.calls.append(f"order{n}")
            return n

        @cache.cached(ttl=60, tags=["user:{n}"], namespace="users", key="user:{n}")
        async def user(n: int) -> int:
            self.calls.append(f"user{n}")
            return n

        self.order, self.user = order, user

    async def called(self) -> str:
        """Which of the values were not cached."""
        self.calls.clear()
        for n in (1, 2):
            await self.order(n)
            await self.user(n)
        return " ".join(self.calls)


ALL = "order1 user1 order2 user2"


async def test_by_arguments(cache: Cache) -> None:
    """Only the value of these arguments is dropped."""
    numbers = Numbers(cache)
    assert await numbers.called() == ALL
    assert await numbers.called() == ""
    await numbers.order.invalidate(2)
    assert await numbers.called() == "order2"


async def test_by_tag_and_family(cache: Cache) -> None:
    """A tag drops what carries it, a family all of its tags, an unknown one nothing."""
    numbers = Numbers(cache)
    await numbers.called()
    await cache.invalidate("order:1", "user:2")
    assert await numbers.called() == "order1 user2"
    await cache.invalidate("order")
    assert await numbers.called() == "order1 order2"
    await cache.invalidate("nothing")
    await cache.invalidate()
    assert await numbers.called() == ""


async def test_by_namespace(cache: Cache) -> None:
    """A namespace is dropped as a whole; its name is no tag."""
    numbers = Numbers(cache)
    await numbers.called()
    await cache.invalidate("orders")
    assert await numbers.called() == ""
    await cache.invalidate_namespace("orders")
    assert await numbers.called() == "order1 order2"


async def test_by_pattern(cache: Cache) -> None:
    """Keys that match are dropped and counted."""
    numbers = Numbers(cache)
    await numbers.called()
    assert await cache.invalidate_pattern("user:*") == 2
    assert await numbers.called() == "user1 user2"
    assert await cache.invalidate_pattern("nothing*") == 0


async def test_keys_that_are_none(cache: Cache) -> None:
    """A key that is no string, or letters instead of keys, is an error that says so."""
    for asked in (cache.get(1), cache.get_many("ab"), cache.set(None, 1), cache.delete(1)):  # type: ignore[arg-type]
        with pytest.raises(SettingsError, match=r"is no string|write a list"):
            await asked


GLOBS = [
    "a*",
    "a?b",
    "a[*]b",
    r"a\\*b",
    "[[]x]",
    r"\\[x\\]",
    "a[^X]b",
    "a[!X]b",
    "[a-b]*b",
    "[]x*",
    "é?",
    "é??",
    "*",
    "",
    "a\nb",
]


@pytest.mark.parametrize("pattern", GLOBS)
async def test_patterns_mean_the_same_in_memory_and_in_redis(
    open_cache: OpenCache, redis_url: str, pattern: str
) -> None:
    """Wildcards, classes, ranges and what is escaped, over keys that hold such characters themselves."""
    keys = ["a*b", "a?b", "aXb", "a!b", "[x]", "a\\b", "é1", "bb", "a\nb", ""]
    left = []
    for cache in (open_cache(), open_cache(redis=redis_url, local_items=0)):
        await cache.start()
        assert await cache.set_many(dict.fromkeys(keys, 1))
        dropped = await cache.invalidate_pattern(pattern)
        left.append(await cache.get_many(keys))
        assert dropped == len(keys) - len(left[-1])
    assert left[0] == left[1]


async def test_by_event(cache: Cache) -> None:
    """An event drops the tags and namespaces that depend on it; an unknown one is refused."""
    numbers = Numbers(cache)
    await numbers.called()
    cache.depends("prices changed", on=["order:1", "users"])
    await cache.publish("prices changed")
    assert await numbers.called() == "order1 user1 user2"
    with pytest.raises(SettingsError, match="known are: prices changed"):
        await cache.publish("prices unheard-of")


async def test_values_by_hand(cache: Cache) -> None:
    """set, get and delete, one and many, with defaults, tags and times; bytes are data too."""
    assert await cache.set_many({"raw": b"", "page": [b"\0\xff" * 600]})
    assert await cache.get_many(["raw", "page"]) == {"raw": b"", "page": [b"\0\xff" * 600]}
    assert await cache.get("a") is None
    assert await cache.get("a", 7) == 7
    assert await cache.set("a", {"x": [1, None]})
    assert await cache.get("a") == {"x": [1, None]}
    assert await cache.set("none", None)
    assert await cache.get("none", 7) is None
    assert await cache.set_many({"b": 1, "c": 2}, tags=["letters"])
    assert await cache.get_many(["a", "b", "c", "d"]) == {"a": {"x": [1, None]}, "b": 1, "c": 2}
    await cache.invalidate("letters")
    assert await cache.get_many(["b", "c"]) == {}
    await cache.delete("a", "d")
    assert await cache.get("a") is None
    assert await cache.set("short", 1, ttl=0.05)
    await asyncio.sleep(0.08)
    assert await cache.get("short") is None
    with pytest.raises(UncacheableValue):
        await cache.set("object", object())


async def test_a_value_set_again(open_cache: OpenCache, redis_url: str) -> None:
    """Another cache that has the old value in memory reads the new one at once."""
    one, other = open_cache(redis=redis_url), open_cache(redis=redis_url)
    await one.start()
    await other.start()
    for n in range(50):
        writer, reader = (one, other) if n % 2 else (other, one)
        await writer.set("a", n)
        assert [await reader.get("a"), await writer.get("a")] == [n, n]
    await one.delete("a")
    assert await other.get("a") is None


async def test_two_caches(open_cache: OpenCache, redis_url: str) -> None:
    """What one cache drops, by whatever way, another does not serve."""
    one, other = open_cache(redis=redis_url), open_cache(redis=redis_url)
    await one.start()
    await other.start()
    numbers = Numbers(other)
    await numbers.called()
    await one.invalidate("order:1")
    assert await numbers.called() == "order1"
    await one.invalidate_namespace("users")
    assert await numbers.called() == "user1 user2"
    await Numbers(one).order.invalidate(2)
    assert await numbers.called() == "order2"
    assert await one.invalidate_pattern("order:*") == 2
    assert await numbers.called() == "order1 order2"


async def test_only_cached_functions_are_warmed(cache: Cache) -> None:
    """A function without the decorator has nowhere to keep what it loads, and the error says so."""
    with pytest.raises(SettingsError, match="no cached function"):
        await cache.warm(len, ["a"])  # type: ignore[arg-type]


async def test_warm(cache: Cache) -> None:
    """Values of many arguments are loaded, some at a time."""
    together = most = 0

    @cache.cached(ttl=60)
    async def f(a: int, b: int = 0) -> int:
        nonlocal together, most
        together += 1
        most = max(most, together)
        await asyncio.sleep(0.01)
        together -= 1
        return a + b

    done: list[int] = []
    assert await cache.warm(f, [1, (2,), (3, 4), {"a": 5}], concurrency=2, progress=done.append) == 4
    assert done == [1, 2, 3, 4]
    assert most == 2
    loads = cache.stats().namespaces["default"].loads
    assert [await f(1), await f(2), await f(3, 4), await f(a=5)] == [1, 2, 7, 5]
    assert cache.stats().namespaces["default"].loads == loads


async def test_stats(cache: Cache) -> None:
    """Calls are counted by namespace, memory by items."""
    numbers = Numbers(cache)
    await numbers.called()
    await numbers.called()
    stats = cache.stats()
    assert list(stats.namespaces) == ["orders", "users"]
    orders = stats.namespaces["orders"]
    assert (orders.memory_hits, orders.redis_hits, orders.misses, orders.loads) == (2, 0, 2, 2)
    assert orders.hit_rate == stats.hit_rate == 0.5
    assert stats.items == 4
    assert stats.bytes > 0
    assert orders.unfilled == {}
    assert orders.stale_ratio == 0


async def test_memory_is_bounded(open_cache: OpenCache) -> None:
    """More keys and larger values than there is room for push others out, and those that are read stay."""
    cache = open_cache(local_items=100, local_bytes=200_000)

    @cache.cached(ttl=60)
    async def f(n: int) -> str:
        return "x" * (n % 1000)

    for n in range(20_000):
        await f(n)
        await f(7)
    stats = cache.stats()
    assert stats.items <= 100
    assert stats.bytes <= 200_000
    assert stats.evictions >= 19_000
    assert stats.namespaces["default"].memory_hits >= 19_000
    assert sum(len(table) for table in f._shortcuts.values()) <= 100  # type: ignore[attr-defined]
