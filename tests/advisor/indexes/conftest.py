"""A shop without the indexes it needs, and copies of it to ask."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest

from pitstop.advisor.whatif import WhatIf, open_whatif
from pitstop.postgres.address import libpq_url, psycopg_url
from pitstop.servers import Servers, create_template

SHOP = """
SELECT setseed(0.5);
CREATE TABLE users (id int PRIMARY KEY, email text, country text, bio text, deleted_at timestamptz);
CREATE TABLE orders (
    id int PRIMARY KEY, user_id int REFERENCES users, status text, total numeric, created_at timestamptz,
    data jsonb, note text
);
CREATE TABLE docs (id int PRIMARY KEY, body text);
INSERT INTO users
SELECT i, 'User' || i || '@Example.com', (array['kr', 'de', 'us'])[1 + i % 3],
       md5(i::text) || ' ' || md5((i * 7)::text), CASE WHEN i % 20 = 0 THEN now() END
  FROM generate_series(1, 20000) AS i;
INSERT INTO orders
SELECT i, 1 + (random() * 4999)::int,
       CASE WHEN random() < .02 THEN 'pending' ELSE (array['done', 'sent', 'new'])[1 + i % 3] END,
       (random() * 1000)::numeric(10, 2), '2026-01-01'::timestamptz + random() * interval '300 days',
       jsonb_build_object('k', i % 1000, 't', md5((i % 5000)::text)), repeat('x', 80)
  FROM generate_series(1, 100000) AS i;
INSERT INTO docs
SELECT d, string_agg('w' || (random() * random() * 2000)::int, ' ')
  FROM generate_series(1, 8000) AS d, generate_series(1, 30) AS w GROUP BY d;
CREATE INDEX orders_created_at ON orders (created_at);
"""


def fill(url: str) -> None:
    with psycopg.connect(libpq_url(url), autocommit=True) as connection:
        connection.execute(
            "SET synchronous_commit = on"
        )  # else the vacuum cannot know yet that it is all visible
        connection.execute(SHOP)
        connection.execute("VACUUM (FREEZE, ANALYZE)")


def vacuum(connection: "psycopg.Connection[Any]", *tables: str) -> None:
    """Vacuum until pages are all-visible: not while anybody may still look at what was there before."""
    seen = "SELECT bool_and(relallvisible > 0.9 * relpages) FROM pg_class WHERE relname = ANY (%s)"
    for _ in range(100):
        connection.execute(f"VACUUM ANALYZE {', '.join(tables)}".encode())
        if connection.execute(seen, [list(tables)]).fetchone() == (True,):
            return
        time.sleep(0.2)
    pytest.fail(f"the pages of {tables} did not become all-visible within 20 s")


@pytest.fixture(scope="session")
def pitstop_template(pitstop_servers: Servers) -> str:
    """Every test has a clone of the shop."""
    return create_template(pitstop_servers.sync_database_url, "advisor_shop", seed=fill)


@pytest.fixture
def shop(database_url: str) -> Iterator["psycopg.Connection[tuple[object, ...]]"]:
    """A connection to the shop, each statement committed."""
    with psycopg.connect(libpq_url(database_url), autocommit=True) as connection:
        yield connection


@pytest.fixture
def copy(database_url: str, pitstop_servers: Servers) -> Iterator[Callable[..., WhatIf]]:
    """Makes a copy of the shop as it is when called; on the servers of the test run if they are private."""
    servers = pitstop_servers if "postgresql" in pitstop_servers.private else None
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(
            open_whatif(psycopg_url(database_url), servers=servers, **options)
        )
