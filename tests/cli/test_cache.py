"""The command `pitstop cache`, as a real process: what it prints and changes, and what it never shows."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import psycopg
import pytest
from redis import Redis

from pitstop.cache import Cache
from pitstop.postgres.address import libpq_url
from tests.cli.process import Command, run

PASSWORD = "hunter2"
OBJECTS = """
SELECT (SELECT count(*) FROM pg_class WHERE relname LIKE '%pitstop%')
     + (SELECT count(*) FROM pg_proc WHERE proname LIKE '%pitstop%')
     + (SELECT count(*) FROM pg_trigger WHERE tgname LIKE '%pitstop%')
"""


@pytest.fixture
def command() -> Command:
    """Runs `pitstop cache ...` without anything of ours in the environment."""
    return partial(run, "cache")


@pytest.fixture
def database(sync_database_url: str) -> Iterator["psycopg.Connection[Any]"]:
    """A database with a table of orders."""
    with psycopg.connect(libpq_url(sync_database_url), autocommit=True) as connection:
        connection.execute("CREATE TABLE orders (id integer PRIMARY KEY)")
        yield connection


def objects(database: "psycopg.Connection[Any]") -> int:
    row = database.execute(OBJECTS).fetchone()
    assert row is not None
    return int(row[0])


def test_nothing_is_made_without_being_told(
    command: Command, database: "psycopg.Connection[Any]", database_url: str
) -> None:
    """The statements are printed, and are what --apply runs; without it the database is as it was."""
    code, printed, err = command("install", database_url)
    assert (code, err) == (0, "")
    assert 'CREATE TABLE "public".pitstop_outbox' in printed
    assert printed.endswith("-- Nothing was changed: --apply runs these statements.\n")
    assert objects(database) == 0
    code, _, err = command("install-triggers", database_url, "orders=order:{id}")
    assert (code, "install DSN --apply" in err) == (2, True)
    database.execute(printed.encode())  # what is printed can be run as it is
    assert objects(database) > 0


def test_install_and_uninstall(
    command: Command, database: "psycopg.Connection[Any]", database_url: str
) -> None:
    """What is applied works, a second time there is nothing to do, and uninstall leaves nothing."""
    assert command("install", database_url, "--apply")[1].endswith("-- Applied.\n")
    assert command("install", PITSTOP_DATABASE_URL=database_url)[1] == "The outbox is there already.\n"
    before = objects(database)
    assert command("install-triggers", database_url, "orders=order:{id}", "--apply")[0] == 0
    database.execute("INSERT INTO orders VALUES (7)")
    assert database.execute("SELECT tags FROM pitstop_outbox").fetchall() == [(["t:order:7"],)]
    code, out, _ = command("uninstall", database_url, "--json")
    assert (code, json.loads(out)["applied"]) == (0, False)
    assert objects(database) > before
    assert command("uninstall", database_url, "--apply")[0] == 0
    assert objects(database) == 0


def test_json_of_ddl(command: Command, database: "psycopg.Connection[Any]", database_url: str) -> None:
    """With --json the statements are a list."""
    code, out, _ = command("install", database_url, "--json")
    result = json.loads(out)
    assert (code, result["version"], result["applied"]) == (0, 1, False)
    for statement in result["statements"]:
        database.execute(statement.encode())
    assert objects(database) > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("install",), "no database: give postgresql://"),
        (("install", f"postgresql://ann:{PASSWORD}@127.0.0.1:1/shop"), "127.0.0.1:1/shop cannot be used"),
        (("install", "mysql://ann@host/shop"), "is no address of a postgresql"),
        (("stats",), "no redis: give redis://"),
        (("stats", f"redis://:{PASSWORD}@127.0.0.1:1/0"), "redis://127.0.0.1:1/0"),
        (("clear", f"redis://:{PASSWORD}@127.0.0.1:1/0"), "could not reach redis"),
        (("invalidate", f"redis://:{PASSWORD}@127.0.0.1:1/0", "order:7"), "could not reach redis"),
    ],
)
def test_errors_say_what_to_do(command: Command, arguments: tuple[str, ...], message: str) -> None:
    """An error is a line on stderr and exit code 2; a password is never shown."""
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert PASSWORD not in err


async def test_stats(
    command: Command, database: "psycopg.Connection[Any]", database_url: str, redis_url: str
) -> None:
    """Keys by kind, holders, memory and the outbox are told; arguments of slow commands are not."""
    with Redis.from_url(redis_url) as client:
        client.config_set("slowlog-log-slower-than", 0)
        client.set("secret-key", PASSWORD)
        client.config_set("slowlog-log-slower-than", 10000)
    command("install", database_url, "--apply")
    database.execute(
        "INSERT INTO pitstop_outbox (namespace, tags) VALUES ('pitstop', '{t:a}'), ('other', '{t:b}')"
    )
    async with Cache(redis_url) as cache:
        await cache.set("a", 1, tags=["order:7"])
        code, out, err = command("stats", redis_url, "--dsn", database_url)
        assert (code, err) == (0, "")
        assert "1 value" in out
        assert "1 hold a lease" in out
        assert "1 rows wait" in out
        code, out, _ = command("stats", "--json", PITSTOP_REDIS_URL=redis_url)
    report = json.loads(out)
    assert report["keys"]["value"] == 1
    assert report["holders"] == 1
    assert report["is_complete"]
    assert report["outbox"] is None
    assert report["servers"][0]["slow"]
    assert PASSWORD not in out
    assert "secret-key" not in out


def test_stats_of_nothing(command: Command, redis_url: str, database_url: str) -> None:
    """An empty Redis and a database without an outbox are no error."""
    code, out, _ = command("stats", redis_url, "--dsn", database_url)
    assert code == 0
    assert "no process has joined" in out
    assert "not installed" in out


async def test_invalidate_and_clear(command: Command, redis_url: str) -> None:
    """Another process's memory serves neither what was invalidated nor anything after a clear."""
    async with Cache(redis_url) as cache:
        await cache.set_many({"a": 1, "b": 2}, tags=["order:7"])
        await cache.set("c", 3, tags=["user:1"])
        assert await cache.get_many(["a", "b", "c"]) == {"a": 1, "b": 2, "c": 3}
        code, out, _ = command("invalidate", redis_url, "order:7", "--json")
        assert (code, json.loads(out)) == (0, {"version": 1, "invalidated": ["order:7"]})
        assert await cache.get_many(["a", "b", "c"]) == {"c": 3}
        code, out, _ = command("clear", redis_url)
        assert (code, out) == (0, "Dropped 3 values.\n")
        assert await cache.get("c") is None
