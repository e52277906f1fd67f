"""Cached functions: what is called, what is kept, and that they stay the functions they were."""

import asyncio
import inspect
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI
from httpx import ASGITransport, AsyncClient
from pydantic import BaseModel

from pitstop.cache import TTL_BY_KIND, Adaptive, Cache
from pitstop.errors import SettingsError, UncacheableValue, UnkeyableArgument
from tests.cache.conftest import OpenCache
from tests.cache.shop import Order


class Product(BaseModel):
    id: int
    names: list[str] = []


@dataclass
class Point:
    x: int
    y: int


class Counter:
    """Counts calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> int:
        self.calls += 1
        return self.calls


async def test_an_async_function(cache: Cache) -> None:
    """Equal arguments call it once, others once more; however they are written."""
    count = Counter()

    @cache.cached(ttl=60)
    async def total(a: int, b: int = 2, *, c: str = "x") -> str:
        return f"{a}{b}{c}{count()}"

    first = await total(1)
    assert [await total(1, 2), await total(a=1), await total(1, c="x"), await total(b=2, a=1)] == [first] * 4
    assert await total(1, 3) != first
    assert await total(1, c="y") != first
    assert count.calls == 3


def test_a_sync_function(cache: Cache) -> None:
    """A sync function stays one."""
    count = Counter()

    @cache.cached(ttl=60)
    def total(a: int) -> int:
        return a + count()

    assert [total(1), total(1), total(a=1)] == [2, 2, 2]
    assert total(2) == 4
    assert count.calls == 2


async def test_types_of_arguments_are_told_apart(cache: Cache) -> None:
    """1, True, 1.0 and "1" are four keys, also in memory."""

    @cache.cached(ttl=60)
    async def shown(value: Any) -> str:
        return repr(value)

    for _ in range(3):
        assert [await shown(each) for each in (1, True, 1.0, "1", None, 0.0, -0.0)] == [
            "1",
            "True",
            "1.0",
            "'1'",
            "None",
            "0.0",
            "-0.0",
        ]


async def test_values_from_redis_equal_those_of_the_function(open_cache: OpenCache, redis_url: str) -> None:
    """Models, dataclasses, None and plain data come back as they were."""
    writer, reader = open_cache(redis=redis_url), open_cache(redis=redis_url)
    await writer.start()
    await reader.start()
    calls = []

    def functions(cache: Cache) -> list[Any]:
        @cache.cached(ttl=60)
        async def product(n: int) -> Product:
            calls.append(n)
            return Product(id=n, names=["a" * 3000])

        @cache.cached(ttl=60)
        async def points(n: int) -> list[Point]:
            calls.append(n)
            return [Point(n, 1), Point(n, 2)]

        @cache.cached(ttl=60)
        async def nothing(n: int) -> Product | None:
            calls.append(n)
            return None

        @cache.cached(ttl=60)
        async def plain(n: int) -> dict[str, list[int]]:
            calls.append(n)
            return {"a": [n]}

        return [product, points, nothing, plain]

    written = [await each(1) for each in functions(writer)]
    assert len(calls) == 4
    read = [await each(1) for each in functions(reader)]
    assert read == written
    assert len(calls) == 4
    assert reader.stats().namespaces["default"].redis_hits == 4


class Shop:
    """A class with cached methods of every kind."""

    cache: Any

    def __init__(self, region: str) -> None:
        self.region = region

    def __cache_key__(self) -> str:
        return self.region


async def test_methods(cache: Cache) -> None:
    """Methods, class methods and static methods are kept by object, class and arguments."""
    count = Counter()

    class Local(Shop):
        @cache.cached(ttl=60)
        async def price(self, product: int) -> str:
            return f"{self.region}{product}{count()}"

        @cache.cached(ttl=60)
        def sync_price(self, product: int) -> str:
            return f"{self.region}{product}{count()}"

        @classmethod
        @cache.cached(ttl=60)
        async def known(cls, product: int) -> str:
            return f"{cls.__name__}{product}{count()}"

        @staticmethod
        @cache.cached(ttl=60)
        def rate(product: int) -> int:
            return product + count()

    here, there = Local("here"), Local("there")
    assert await here.price(1) == await Local("here").price(1) == await Local.price(here, 1) == "here11"
    assert await there.price(1) == "there12"
    assert here.sync_price(1) == here.sync_price(product=1) == "here13"
    assert await Local.known(1) == await here.known(1) == "Local14"
    assert Local.rate(1) == here.rate(1) == 6
    await here.price.invalidate(1)
    assert await here.price(1) == "here16"
    assert await there.price(1) == "there12"
    assert here.price.key(1) == Local.price.key(here, 1)
    assert await here.price.refresh(1) == "here17"
    assert await here.price.bypass(1) == "here18"
    assert await here.price(1) == "here17"
    here.sync_price.invalidate(1)
    assert here.sync_price(1) == "here19"


def test_it_looks_like_the_function(cache: Cache) -> None:
    """Name, docstring, signature and kind are those of the function."""

    @cache.cached(ttl=60)
    async def total(a: int, *, b: str = "x") -> int:
        """Adds."""
        return a

    @cache.cached(ttl=60)
    def plain(a: int) -> int:
        return a

    assert (total.__name__, total.__doc__, total.__module__) == ("total", "Adds.", __name__)
    assert str(inspect.signature(total)) == "(a: int, *, b: str = 'x') -> int"
    is_async = inspect.iscoroutinefunction if sys.version_info >= (3, 12) else asyncio.iscoroutinefunction
    assert is_async(total)
    assert not is_async(plain)
    assert "total" in repr(total)


async def test_fastapi(cache: Cache) -> None:
    """Cached dependencies and endpoints keep their parameters; async ones run in the loop."""
    app = FastAPI()
    count = Counter()
    threads: set[int] = set()

    @cache.cached(ttl=60)
    async def rate(currency: str = "eur") -> int:
        threads.add(threading.get_ident())
        return count()

    @cache.cached(ttl=60)
    def tax(country: str) -> int:
        return count()

    @app.get("/price/{product}")
    @cache.cached(ttl=60)
    async def price(
        product: int, rate: Annotated[int, Depends(rate)], tax: Annotated[int, Depends(tax)]
    ) -> Product:
        return Product(id=product, names=[str(rate), str(tax), str(count())])

    async with AsyncClient(transport=ASGITransport(app), base_url="http://test") as client:
        first = (await client.get("/price/7?country=ko")).json()
        assert first["id"] == 7
        assert (await client.get("/price/7?country=ko")).json() == first
        assert (await client.get("/price/7?country=ko&currency=usd")).json() != first
        assert (await client.get("/price/x?country=ko")).status_code == 422
        names = {each["name"] for each in app.openapi()["paths"]["/price/{product}"]["get"]["parameters"]}
    assert names == {"product", "currency", "country"}
    assert threads == {threading.get_ident()}


@pytest.mark.parametrize("ttl", [60, 60.0, "60s", "1m", timedelta(minutes=1), "trending", None, Adaptive(60)])
async def test_forms_of_ttl(cache: Cache, ttl: Any) -> None:
    """Every way of saying how long a value lives is understood."""
    count = Counter()

    @cache.cached(ttl=ttl)
    async def f() -> int:
        return count()

    assert [await f(), await f()] == [1, 1]
    assert TTL_BY_KIND["trending"] == 300


@pytest.mark.parametrize("ttl", [0, -1, "soon", float("nan"), True])
def test_ttl_that_is_none(cache: Cache, ttl: Any) -> None:
    """What is no duration is refused when the function is decorated."""
    with pytest.raises(SettingsError):
        cache.cached(ttl=ttl)(lambda: 1)


async def test_expiry(cache: Cache) -> None:
    """A value lives no longer than its time, in memory and in Redis."""
    count = Counter()

    @cache.cached(ttl=0.1)
    async def f() -> int:
        return count()

    assert await f() == 1
    await asyncio.sleep(0.15)
    assert await f() == 2


async def test_negative_ttl(cache: Cache) -> None:
    """None is not kept with 0, and otherwise for its own time."""
    count = Counter()

    @cache.cached(ttl=60, negative_ttl=0)
    async def never() -> None:
        count()

    @cache.cached(ttl=60, negative_ttl=0.1)
    async def short() -> None:
        count()

    @cache.cached(ttl=60)
    async def usual() -> None:
        count()

    await never()
    await never()
    assert count.calls == 2
    await short()
    await short()
    assert count.calls == 3
    await asyncio.sleep(0.15)
    await short()
    assert count.calls == 4
    await usual()
    await usual()
    assert count.calls == 5


async def test_copies(cache: Cache) -> None:
    """With copy= a caller may change what it gets, the first one too."""

    @cache.cached(ttl=60, copy=True)
    async def f() -> dict[str, list[int]]:
        return {"a": [1]}

    for _ in range(3):
        (await f())["a"].append(2)
    assert await f() == {"a": [1]}


async def test_ignored_arguments(cache: Cache) -> None:
    """What is ignored does not count, wherever it stands and whatever it is."""
    count = Counter()

    @cache.cached(ttl=60, ignore=["session", "log"])
    async def f(session: object, a: int, *, log: object = None) -> int:
        return count()

    assert await f(object(), 1) == await f(object(), 1, log=object()) == await f(session=object(), a=1) == 1
    assert await f(object(), 2) == 2


async def test_key_by_template_and_function(cache: Cache) -> None:
    """The key is what key= says it is."""
    count = Counter()

    @cache.cached(ttl=60, key="user:{user_id}")
    async def by_template(user_id: int, how: str) -> int:
        return count()

    @cache.cached(ttl=60, key=lambda user_id, how: user_id % 10)
    async def by_function(user_id: int, how: str) -> int:
        return count()

    assert await by_template(1, "a") == await by_template(1, how="b") == 1
    assert await by_template(2, "a") == 2
    assert by_template.key(1, "a").startswith("user:1")
    assert await by_function(13, "a") == await by_function(23, "a") == 3
    assert await by_function(14, "a") == 4


async def test_unkeyable_arguments(cache: Cache) -> None:
    """An argument that cannot be told apart is refused, at the latest when it comes."""

    class Opaque:
        pass

    @cache.cached(ttl=60)
    async def f(a: Any) -> int:
        return 1

    with pytest.raises(UnkeyableArgument, match="ignore="):
        await f(Opaque())
    with pytest.raises(UnkeyableArgument):

        @cache.cached(ttl=60)
        async def g(a: Opaque) -> int:
            return 1


@pytest.mark.parametrize("wrap", [lambda row: row, lambda row: [row], lambda row: {"row": row}])
async def test_an_object_of_a_session_is_not_kept(
    cache: Cache, caplog: pytest.LogCaptureFixture, wrap: Callable[[Any], Any]
) -> None:
    """It is returned and not kept, with and without Redis, and the log says what to return instead."""

    @cache.cached()
    async def row():  # type: ignore[no-untyped-def]
        return wrap(Order(id=1, total=5))

    assert await row() is not await row()
    assert "belongs to a session" in caplog.text


async def test_a_value_that_cannot_be_kept(cache: Cache, caplog: pytest.LogCaptureFixture) -> None:
    """The value is returned, not kept, and said once for each function in the log, and counted."""

    @cache.cached(ttl=60)
    async def f(n: int) -> Any:
        return object()

    first, again = await f(1), await f(1)
    await f(2)
    if cache.stats().up is not None:  # memory alone can keep anything
        assert first is not again
        assert cache.stats().namespaces["default"].unfilled["its value cannot be stored"] == 3
        assert len([each for each in caplog.records if "is not kept" in each.message]) == 1


def test_a_return_type_that_cannot_be_kept(cache: Cache) -> None:
    """A return annotation that nothing can be made of is refused when the function is decorated."""
    with pytest.raises(UncacheableValue):

        @cache.cached(ttl=60)
        def f() -> threading.Lock:
            return threading.Lock()


async def test_exceptions_are_not_kept(cache: Cache) -> None:
    """An exception goes to the caller, and the next call tries again."""
    count = Counter()

    @cache.cached(ttl=60)
    async def f() -> int:
        if count() < 3:
            raise KeyError("no")
        return 7

    for _ in range(2):
        with pytest.raises(KeyError, match="no"):
            await f()
    assert [await f(), await f()] == [7, 7]
    assert count.calls == 3


async def test_a_call_that_does_not_fit(cache: Cache) -> None:
    """A wrong call is refused as by Python, and nothing is called."""

    @cache.cached(ttl=60)
    async def f(a: int) -> int:
        return a

    for call in (lambda: f(), lambda: f(1, 2), lambda: f(1, b=2), lambda: f(1, a=1)):  # type: ignore[call-arg,misc]
        with pytest.raises(TypeError):
            await call()


async def test_refresh_and_bypass(cache: Cache) -> None:
    """refresh keeps what it loads; bypass neither reads nor keeps."""
    count = Counter()

    @cache.cached(ttl=60)
    async def f() -> int:
        return count()

    assert await f() == 1
    assert await f.bypass() == 2
    assert await f() == 1
    assert await f.refresh() == 3
    assert await f() == 3


def test_refresh_and_bypass_in_sync_code(cache: Cache) -> None:
    """The same for sync functions."""
    count = Counter()

    @cache.cached(ttl=60)
    def f() -> int:
        return count()

    assert (f(), f.bypass(), f(), f.refresh(), f()) == (1, 2, 1, 3, 3)
    f.invalidate()
    assert f() == 4


def test_what_is_used_up_is_not_kept(cache: Cache, caplog: pytest.LogCaptureFixture) -> None:
    """An iterator or a coroutine that a function returns is each caller's own, and the log says so."""

    @cache.cached()
    def numbers(n: int):  # type: ignore[no-untyped-def]
        return iter(range(n))

    @cache.cached()
    def promise(n: int):  # type: ignore[no-untyped-def]
        return asyncio.sleep(0, n)

    assert [list(numbers(2)) for _ in range(2)] == [[0, 1], [0, 1]]
    assert [asyncio.run(promise(2)) for _ in range(2)] == [2, 2]
    assert "range_iterator" in caplog.text


def test_a_key_function_must_return(cache: Cache) -> None:
    """A key function without return would give everybody the value of the first."""

    @cache.cached(key=lambda user: None)
    def name(user: int) -> str:
        return f"user {user}"

    with pytest.raises(UnkeyableArgument, match="returned None"):
        name(1)


async def test_generators_are_refused(cache: Cache) -> None:
    """What gives its values bit by bit cannot be kept, and is refused when it is decorated."""
    with pytest.raises((SettingsError, UncacheableValue)):

        @cache.cached(ttl=60)
        def f() -> Any:
            yield 1

    with pytest.raises((SettingsError, UncacheableValue)):

        @cache.cached(ttl=60)
        async def g() -> Any:
            yield 1
