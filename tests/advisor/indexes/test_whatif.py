"""The copy without rows: it plans as the original does, and foretells what indexes would do to it."""

import uuid
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url

from pitstop.advisor.whatif import Hypothetical, WhatIf, open_whatif
from pitstop.errors import WhatIfError
from pitstop.postgres.address import psycopg_url
from tests.advisor.indexes.conftest import vacuum

Copy = Callable[..., WhatIf]
Shop = psycopg.Connection[tuple[Any, ...]]

STATEMENTS = [
    "SELECT * FROM users WHERE id = 5",
    "SELECT * FROM orders WHERE user_id = 7",
    "SELECT total FROM orders WHERE user_id = $1",
    "SELECT * FROM orders WHERE user_id = 7 AND status = 'done'",
    "SELECT * FROM orders WHERE status = 'pending' ORDER BY created_at DESC LIMIT 20",
    "SELECT count(*) FROM orders WHERE status = 'pending'",
    "SELECT * FROM orders WHERE created_at > '2026-05-01' AND created_at < '2026-05-03'",
    "SELECT * FROM users WHERE lower(email) = 'user77@example.com'",
    "SELECT * FROM users WHERE deleted_at IS NULL AND country = 'kr' ORDER BY id LIMIT 10",
    "SELECT * FROM orders WHERE data @> '{\"k\": 5}'",
    "SELECT * FROM users WHERE bio LIKE '%abc1%'",
    "SELECT id FROM docs WHERE to_tsvector('english', body) @@ to_tsquery('english', 'w77 & w5')",
    "SELECT u.country, count(*) FROM users u JOIN orders o ON o.user_id = u.id GROUP BY 1",
    "SELECT * FROM users u JOIN orders o ON o.user_id = u.id WHERE u.id = 17",
    "SELECT * FROM orders WHERE id = ANY ('{1,2,3}')",
    "UPDATE orders SET note = 'y' WHERE user_id = 9 AND status = 'new'",
]
INDEXES = [
    "CREATE INDEX ON orders (user_id)",
    "CREATE INDEX ON orders (user_id, status)",
    "CREATE INDEX ON orders (status, created_at DESC)",
    "CREATE INDEX ON orders (created_at) WHERE status = 'pending'",
    "CREATE INDEX ON orders (user_id) INCLUDE (total)",
    "CREATE INDEX ON orders (total)",
    "CREATE INDEX ON orders (status)",
    "CREATE INDEX ON users (country, id) WHERE deleted_at IS NULL",
    "CREATE INDEX ON users (lower(email))",
    "CREATE INDEX ON users (email)",
    "CREATE INDEX ON orders USING gin (data jsonb_path_ops)",
    "CREATE INDEX ON orders USING gin (data)",
    "CREATE INDEX ON users USING gin (bio gin_trgm_ops)",
    "CREATE INDEX ON docs USING gin (to_tsvector('english', body))",
    "CREATE INDEX ON orders USING brin (id)",
    "CREATE INDEX ON orders USING hash (status)",
]


def real_cost(shop: Shop, statement: str) -> float:
    row = shop.execute(f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {statement}").fetchone()  # type: ignore[call-overload]
    assert row is not None
    return float(row[0][0]["Plan"]["Total Cost"])


def make(whatif: WhatIf, ddls: list[str]) -> list[Hypothetical]:
    made = whatif.make(ddls)
    return [each for each in made if isinstance(each, Hypothetical)]


def test_before(shop: Shop, copy: Copy) -> None:
    """Nineteen of twenty statements cost the same on the copy, within one in a hundred."""
    whatif = copy()
    ratios = [whatif.plan(each)["Total Cost"] / real_cost(shop, each) for each in STATEMENTS]
    near = [each for each in ratios if 0.99 <= each <= 1.01]
    assert len(near) >= 0.95 * len(STATEMENTS), ratios


def test_after(shop: Shop, copy: Copy) -> None:
    """With indexes made up, nine of ten statements cost what they do with real ones, within two."""
    whatif = copy()
    whatif.show(make(whatif, INDEXES))
    foretold = [whatif.plan(each)["Total Cost"] for each in STATEMENTS]
    for ddl in INDEXES:
        shop.execute(ddl)
    vacuum(shop, "users", "orders")
    ratios = [told / real_cost(shop, each) for told, each in zip(foretold, STATEMENTS, strict=True)]
    near = [each for each in ratios if 0.5 <= each <= 2]
    assert len(near) >= 0.9 * len(STATEMENTS), ratios


def test_sizes(shop: Shop, copy: Copy) -> None:
    """Sizes are foretold: B-trees within a quarter, GIN within two, of what is built."""
    made = make(copy(), INDEXES)
    assert [each.ddl for each in made] == INDEXES
    for each in made:
        shop.execute(each.ddl.replace("INDEX ON", "INDEX built ON"))
        (size,) = shop.execute("SELECT pg_relation_size('built')").fetchone() or (0,)
        shop.execute("DROP INDEX built")
        share = 0.25 if each.method == "btree" else 1.0
        assert size / (1 + share) <= each.size_bytes <= size * (1 + share), (each, size)


def test_only_what_is_shown_counts(copy: Copy) -> None:
    """An index that was made up is used when it is shown, and no longer when it is not."""
    whatif = copy()
    statement = "SELECT * FROM orders WHERE user_id = 7"
    before = whatif.plan(statement)["Total Cost"]
    (index,) = make(whatif, ["CREATE INDEX ON orders (user_id)"])
    hidden = whatif.plan(statement)["Total Cost"]
    whatif.show([index])
    shown = whatif.plan(statement)["Total Cost"]
    whatif.show([])
    assert (before, hidden, whatif.plan(statement)["Total Cost"]) == (before,) * 3
    assert shown < before / 10


def test_an_index_of_the_original_can_be_hidden(shop: Shop, copy: Copy) -> None:
    """What becomes of a statement when an index is dropped can be asked, too."""
    whatif = copy()
    statement = "SELECT * FROM orders ORDER BY created_at LIMIT 5"
    before = whatif.plan(statement)["Total Cost"]
    row = whatif.connection.execute("SELECT 'orders_created_at'::regclass::oid::int8 AS oid").fetchone()
    assert row is not None
    whatif.show([], without=[row["oid"]])
    assert whatif.plan(statement)["Total Cost"] > 10 * before
    whatif.show([])
    assert whatif.plan(statement)["Total Cost"] == before


def test_more_can_be_made_later(copy: Copy) -> None:
    """Indexes made up in several steps stand beside each other, and tables keep their size."""
    whatif = copy()
    scan = "SELECT * FROM orders WHERE note = 'y'"
    before = whatif.plan(scan)["Total Cost"]
    first = make(whatif, ["CREATE INDEX ON orders (user_id)"])
    second = make(whatif, ["CREATE INDEX ON users (country)"])
    whatif.show(first + second)
    assert whatif.plan("SELECT * FROM orders WHERE user_id = 7")["Total Cost"] < before / 10
    assert whatif.plan(scan)["Total Cost"] == before


def test_larger_tables(copy: Copy) -> None:
    """On tables a hundred times larger a scan costs about a hundred times more, a look-up hardly more."""
    now, then = copy(), copy(scale=100)
    scan, lookup = "SELECT * FROM orders WHERE note = 'y'", "SELECT * FROM orders WHERE id = 7"
    assert 40 < then.plan(scan)["Total Cost"] / now.plan(scan)["Total Cost"] <= 101
    assert then.plan(lookup)["Total Cost"] < 1.3 * now.plan(lookup)["Total Cost"]


def test_partitions(shop: Shop, copy: Copy) -> None:
    """An index of a partitioned table is made up on every partition."""
    shop.execute("""
        CREATE TABLE parts (id int, day date, kind int) PARTITION BY RANGE (day);
        CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
        CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
        INSERT INTO parts SELECT i, '2026-01-01'::date + i % 58, i % 5000 FROM generate_series(1, 20000) AS i;
        ANALYZE parts;
    """)
    whatif = copy()
    statement = "SELECT * FROM parts WHERE kind = 7"
    before = whatif.plan(statement)["Total Cost"]
    (index,) = make(whatif, ["CREATE INDEX ON parts (kind)"])
    whatif.show([index])
    assert len(index.oids) == 3
    assert whatif.plan(statement)["Total Cost"] < before / 5


def test_what_cannot_be_is_told(copy: Copy) -> None:
    """A statement or an index that makes no sense is an error of ours, with the server's words."""
    whatif = copy()
    with pytest.raises(WhatIfError, match='relation "nowhere" does not exist'):
        whatif.plan("SELECT * FROM nowhere")
    (refused,) = whatif.make(["CREATE INDEX ON orders (nothing)"])
    assert isinstance(refused, WhatIfError)
    assert 'column "nothing" does not exist' in str(refused)


def test_a_table_that_may_not_be_read(shop: Shop, database_url: str) -> None:
    """Which one, and what lets a role read it, is told in one line."""
    role = f"reader_{uuid.uuid4().hex[:8]}"
    shop.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'read'".encode())
    url = make_url(psycopg_url(database_url)).set(username=role, password="read")
    try:
        refused = pytest.raises(WhatIfError, match=r"denied for table \w+; connect as one who may read")
        with refused, open_whatif(url.render_as_string(hide_password=False)):
            pass
    finally:
        shop.execute(f"DROP ROLE {role}".encode())


def test_nothing_waits_for_a_copy(shop: Shop, copy: Copy) -> None:
    """While a copy is open the original can be changed: no lock is held there."""
    whatif = copy()
    make(whatif, ["CREATE INDEX ON orders USING gin (data)"])  # this one reads rows
    shop.execute("SET lock_timeout = '20s'")
    shop.execute("DROP INDEX orders_created_at")
    shop.execute("ALTER TABLE orders ADD extra int")
    assert whatif.plan("SELECT * FROM orders WHERE id = 1")["Total Cost"] < 10


def test_the_original_is_left_alone(shop: Shop, copy: Copy) -> None:
    """Neither the definitions nor the statistics of the original change."""
    question = "SELECT relname, relpages, reltuples FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    before = sorted(shop.execute(question).fetchall())
    make(copy(), INDEXES)
    assert sorted(shop.execute(question).fetchall()) == before
