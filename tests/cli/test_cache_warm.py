"""The command `pitstop cache warm`, as a real process, on an application that is not ours."""

import csv
import io
import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from redis import Redis

from pitstop.postgres.address import libpq_url
from tests.cli.process import Command, run

APP = """
import os
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path

from pitstop import Cache

cache = Cache(os.environ["SHOP_REDIS"] or None, soft_timeout=5, on_fence_failure="refuse")
called = Path("called.txt")


def write(*words):
    with called.open("a") as file:
        print(*map(repr, words), file=file)


@cache.cached(ttl=600, namespace="rates")
async def rate(currency: str, day: date = date(2026, 1, 1), *, cents: int = 0) -> float:
    write(currency, day, cents)
    if currency == "ZWD":
        raise LookupError(f"no currency {currency}")
    return 1.5


class Session:
    def __init__(self):
        write("made")
    async def __aenter__(self):
        return self
    async def __aexit__(self, *error):
        write("closed")


async def get_session():
    async with Session() as session:
        yield session


@cache.cached(ttl=600, ignore=["session"])
async def order(session: Session, order_id: int) -> int:
    write(type(session).__name__, order_id)
    return order_id


class Prices:
    def __cache_key__(self):
        return "prices"
    @cache.cached(ttl=600)
    def of(self, product: int) -> int:
        write("price", product)
        return product


prices = Prices()


def plain():
    return 1
"""

READER = """
import asyncio
import shop

async def read():
    async with shop.cache:
        print(await shop.rate("EUR"))

asyncio.run(read())
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """An application in a directory of its own."""
    (tmp_path / "shop.py").write_text(APP)
    return tmp_path


@pytest.fixture
def command(shop: Path, redis_url: str) -> Command:
    """Runs `pitstop cache warm ...` there."""
    return partial(run, "cache", "warm", cwd=shop, **{"SHOP_REDIS": redis_url})


def called(shop: Path) -> list[str]:
    file = shop / "called.txt"
    return sorted(file.read_text().splitlines()) if file.exists() else []


def values(redis_url: str) -> int:
    """How many values are in Redis."""
    with Redis.from_url(redis_url) as client:
        return sum(1 for _ in client.scan_iter("pitstop:{*}"))


def as_csv(rows: list[list[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


EUR, USD = "'EUR' datetime.date(2026, 11, 20) 5", "'USD' datetime.date(2026, 1, 1) 0"
CSV = as_csv([["currency", "day", "cents"], ["EUR", "2026-11-20", "5"], ["USD", "", ""]])
JSON = json.dumps([{"currency": "EUR", "day": "2026-11-20", "cents": 5}, ["USD"]])


@pytest.mark.parametrize(
    ("name", "text"), [("rates.csv", CSV), ("rates.json", JSON), ("-", CSV), ("-", JSON)], ids=str.__len__
)
def test_files(command: Command, shop: Path, redis_url: str, name: str, text: str) -> None:
    """Arguments of CSV, JSON and standard input become what annotations say; the values are in Redis."""
    if name != "-":
        (shop / name).write_text(text)
    code, out, err = command("shop:rate", "--from", name, typed=text if name == "-" else "")
    assert (code, err) == (0, "")
    assert out.startswith("Loaded 2 values of shop:rate in ")
    assert called(shop) == [EUR, USD]
    assert values(redis_url) == 2


def test_what_was_warmed_is_a_hit(command: Command, shop: Path, redis_url: str) -> None:
    """Another process finds what was warmed: its function is not called."""
    assert command("shop:rate", "--from", "-", typed='["EUR"]')[0] == 0
    (shop / "reader.py").write_text(READER)
    environment = {**os.environ, "SHOP_REDIS": redis_url, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "reader.py"],
        env=environment,
        cwd=shop,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "1.5\n"
    assert len(called(shop)) == 1


def test_sql(command: Command, shop: Path, redis_url: str, sync_database_url: str) -> None:
    """Rows of a query are arguments, in order or by name, and each load has a session of its own."""
    with psycopg.connect(libpq_url(sync_database_url), autocommit=True) as connection:
        connection.execute("CREATE TABLE orders AS SELECT generate_series(1, 30) AS id")
    query = ("--dsn", sync_database_url, "--sql")
    session = ("--with", "session=shop:Session", "--concurrency", "3")
    code, out, err = command("shop:order", *query, "SELECT id FROM orders", *session, "--json")
    report = json.loads(out)
    assert (code, err) == (0, "")
    assert (report["loaded"], report["failed"], report["unkept"], report["errors"]) == (30, 0, {}, [])
    assert [called(shop).count(word) for word in ("'made'", "'closed'", "'Session' 30")] == [30, 30, 1]
    by_name = "SELECT id AS order_id FROM orders WHERE id < 3"
    code, out, _ = command("shop:order", *query, by_name, "--with", "session=shop:get_session")
    assert (code, out.startswith("Loaded 2 values")) == (0, True)
    assert called(shop).count("'made'") == called(shop).count("'closed'") == 32
    code, _, err = command("shop:order", *query, "DELETE FROM orders RETURNING id", *session)
    assert (code, "--sql: cannot execute DELETE in a read-only transaction" in err) == (2, True)
    assert values(redis_url) == 30


def test_method(command: Command, shop: Path) -> None:
    """A sync method of an object is warmed as well."""
    code, out, err = command("shop:prices.of", "--from", "-", typed='[1, [2], {"product": "3"}]')
    assert (code, err) == (0, "")
    assert out.startswith("Loaded 3 values of shop:prices.of")
    assert called(shop) == ["'price' 1", "'price' 2", "'price' 3"]


def test_a_load_that_fails(command: Command, redis_url: str) -> None:
    """What fails is told with its arguments, the others are loaded, and the exit code says so."""
    rows = json.dumps(["EUR", *["ZWD"] * 7, "USD"])
    code, out, err = command("shop:rate", "--from", "-", typed=rows)
    assert (code, out.startswith("Loaded 2 values")) == (1, True)
    assert "failed  shop:rate(currency='ZWD'): LookupError: no currency ZWD\n" in err
    assert err.endswith("failed  2 more\n")
    assert values(redis_url) == 2


@pytest.mark.parametrize(
    ("arguments", "typed", "message"),
    [
        (("shop",), "", "'shop' is not MODULE:FUNCTION, such as shop.rates:rate"),
        (("shoe:rate",), "", "No module named 'shoe'"),
        (("shop:rates",), "", "shop has no rates"),
        (
            ("shop:plain",),
            "",
            "shop:plain is function, not a cached function: decorate it with @cache.cached",
        ),
        (("shop:rate",), "", "no value for 'currency': shop:rate takes currency, day, cents"),
        (("shop:rate", "--from", "no.csv"), "", "cannot read arguments from no.csv"),
        (("shop:rate", "--from", "-"), "[1", "- is no JSON"),
        (("shop:rate", "--from", "-"), "{}", "- holds dict, not an array"),
        (
            ("shop:rate", "--from", "-"),
            "code\nEUR\n",
            "-, row 1: no argument 'code': shop:rate takes currency",
        ),
        (("shop:rate", "--from", "-"), "currency\nEUR,1\n", "line 2 does not have the cells currency"),
        (
            ("shop:rate", "--from", "-"),
            '[{"currency": 7}]',
            "row 1: currency=7: input should be a valid string",
        ),
        (
            ("shop:rate", "--from", "-"),
            '[["EUR", "soon"]]',
            "row 1: day='soon': input should be a valid date",
        ),
        (("shop:rate", "--from", "-"), "[[1, 2, 3, 4]]", "row 1: 4 values: shop:rate takes"),
        (("shop:order", "--from", "-"), "[1]", "--with session=module:maker"),
        (("shop:order", "--with", "session"), "", "is not ARGUMENT=MODULE:MAKER"),
        (("shop:rate", "--with", "db=shop:Session"), "", "shop:rate has no argument 'db'"),
        (("shop:rate", "--sql", "SELECT 1", "--from", "-"), "", "two sources of arguments: give one"),
        (("shop:rate", "--sql", "SELECT 1"), "", "no database: give postgresql://"),
    ],
)
def test_errors_say_what_to_do(
    command: Command, shop: Path, arguments: tuple[str, ...], typed: str, message: str
) -> None:
    """What cannot be warmed is one line on stderr and exit code 2, and nothing was called."""
    code, out, err = command(*arguments, typed=typed)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert called(shop) == []


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"SHOP_REDIS": "redis://127.0.0.1:1/0"}, "could not reach redis"),
        ({"PITSTOP_CACHE_ENABLED": "0"}, "the cache is off"),
        ({"SHOP_REDIS": ""}, "in the memory of each process alone"),
    ],
)
def test_nowhere_to_keep_it(command: Command, shop: Path, environment: dict[str, str], message: str) -> None:
    """Without a Redis to keep values nothing is called, and the message says why."""
    code, _, err = command("shop:rate", "--from", "-", typed='["EUR"]', **environment)
    assert (code, message in err) == (2, True)
    assert called(shop) == []
