"""A database with a table of orders, and one who carries out changes in this process."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest

from pitstop.advisor.apply import News, Patience, apply_changes
from pitstop.postgres.address import libpq_url
from pitstop.schema import read_script, reverted
from tests.pooler import pooled_url

__all__ = ["pooled_url"]

ROWS = 5_000
# An index on it takes half a second, without work for the processor.
SLOWLY = """
CREATE FUNCTION slowly(value integer) RETURNS integer IMMUTABLE LANGUAGE plpgsql AS
$$ BEGIN IF value % 100 = 0 THEN PERFORM pg_sleep(0.01); END IF; RETURN value; END $$
"""
ORDERS = f"""
CREATE TABLE orders (id integer PRIMARY KEY, customer integer, state text, note text);
INSERT INTO orders SELECT number, number % 100, 'new', md5(number::text)
  FROM generate_series(1, {ROWS}) AS number
"""
EVENTS = """
CREATE TABLE events (id integer, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE "events 1" PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM ('2026-02-01') TO ('2027-01-01')
    PARTITION BY RANGE (at);
CREATE TABLE events_21 PARTITION OF events_2 FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
INSERT INTO events SELECT number, '2026-01-05'::date + number % 50 FROM generate_series(1, 1000) AS number
"""
INVALID = (
    "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT (indisvalid AND indisready AND indislive)"
)


@pytest.fixture
def url(sync_database_url: str) -> str:
    """Of a database that this test has to itself."""
    return libpq_url(sync_database_url)


@pytest.fixture
def database(url: str) -> Iterator["psycopg.Connection[Any]"]:
    """A database with orders, and events in partitions of two floors."""
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in (SLOWLY, *ORDERS.split(";"), *EVENTS.split(";")):
            connection.execute(statement.encode())
        yield connection


def invalid(connection: "psycopg.Connection[Any]") -> list[str]:
    return [name for (name,) in connection.execute(INVALID)]


def is_valid(connection: "psycopg.Connection[Any]", name: str) -> bool | None:
    """None if there is no such index."""
    row = connection.execute(
        "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)", [name]
    ).fetchone()
    return row[0] if row else None


@dataclass
class Applier:
    """Carries out SQL and keeps the news."""

    url: str
    news: list[News] = field(default_factory=list)

    async def __call__(self, sql: str, *, revert: bool = False, **patience: Any) -> None:
        changes = read_script(sql)
        await apply_changes(
            self.url,
            reverted(changes) if revert else changes,
            report=self.news.append,
            patience=Patience(**{"poll_s": 0.1, **patience}),
        )

    def told(self, kind: str) -> list[str]:
        return [each.text for each in self.news if each.kind == kind]

    async def until(self, kind: str) -> None:
        """Wait for news, for a minute at the most."""
        async with asyncio.timeout(60):
            while not self.told(kind):
                await asyncio.sleep(0.02)


@pytest.fixture
def applier(url: str, database: "psycopg.Connection[Any]") -> Applier:
    """Carries out SQL in this process."""
    return Applier(url)
