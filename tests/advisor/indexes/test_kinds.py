"""Each kind of index is found where it is planted, and nothing silly beside it."""

from collections.abc import Callable

import psycopg
import pytest

from pitstop.advisor.indexes import WorkloadStatement, advise
from pitstop.advisor.indexes.observed import advise_observed
from pitstop.advisor.whatif import WhatIf
from pitstop.postgres.address import psycopg_url
from pitstop.postgres.statements import StatementStats
from pitstop.store import Observations
from tests.advisor.indexes.conftest import vacuum

Copy = Callable[..., WhatIf]
Connection = psycopg.Connection[tuple[object, ...]]

KINDS = {
    "composite": (
        "SELECT * FROM orders WHERE user_id = 7 AND status = 'done' AND total > 900",
        "orders (user_id, status, total)",
    ),
    "direction": (
        "SELECT * FROM orders ORDER BY status ASC, created_at DESC LIMIT 20",
        "orders (status, created_at DESC)",
    ),
    "partial": (
        "SELECT * FROM orders WHERE status = 'pending' ORDER BY total LIMIT 50",
        "orders (total) WHERE (status = 'pending'::text)",
    ),
    "partial null": (
        "SELECT id FROM users WHERE deleted_at IS NOT NULL",
        "WHERE (deleted_at IS NOT NULL)",
    ),
    "covering": (
        "SELECT total FROM orders WHERE user_id = $1",
        "orders (user_id) INCLUDE (total)",
    ),
    "expression": (
        "SELECT * FROM users WHERE lower(email) = 'user77@example.com'",
        "users (lower(email))",
    ),
    "jsonb": (
        "SELECT * FROM orders WHERE data @> '{\"k\": 5}'",
        "orders USING gin (data jsonb_path_ops)",
    ),
    "full text": (
        "SELECT id FROM docs WHERE to_tsvector('english', body) @@ to_tsquery('english', 'w77 & w5')",
        "docs USING gin (to_tsvector('english'::regconfig, body))",
    ),
    "trigram": (
        "SELECT * FROM users WHERE bio LIKE '%abc1%'",
        "users USING gin (bio gin_trgm_ops)",
    ),
    "join": (
        "SELECT o.total FROM users u JOIN orders o ON o.user_id = u.id WHERE u.id = 17",
        "orders (user_id) INCLUDE (total)",
    ),
    "largest": (
        "SELECT max(total) FROM orders WHERE user_id = 7",
        "orders (user_id, total)",
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_found(kind: str, copy: Copy) -> None:
    """A workload of one statement gets the one index that serves it best."""
    statement, expected = KINDS[kind]
    advice = advise(copy(), [WorkloadStatement(statement)])
    (index,) = advice.indexes
    (told,) = advice.statements
    assert expected in index.ddl
    assert index.ddl.startswith("CREATE INDEX CONCURRENTLY ON ")
    assert told.cost_after < told.cost_before / 3
    assert told.indexes == (index.ddl,)
    assert index.statements == (0,)


POSTS = """
SET synchronous_commit = on;
CREATE TABLE posts (
    id int PRIMARY KEY, user_id int, title text, body text, is_published boolean, created_at timestamptz
);
INSERT INTO posts
SELECT i, i % 1000, 'title ' || i, repeat(md5(i::text), 12), i % 10 <> 0,
       '2026-01-01'::timestamptz + i * interval '1 minute'
  FROM generate_series(1, 20000) AS i
"""
NARROW = {
    "flag": ("SELECT id FROM posts WHERE is_published", "(id) WHERE is_published"),
    "two": ("SELECT title, id FROM posts WHERE is_published", "(id) INCLUDE (title) WHERE is_published"),
    "counted": ("SELECT count(*) FROM posts WHERE is_published", "(is_published) WHERE is_published"),
    "wide": ("SELECT count(*) FROM posts WHERE body IS NOT NULL", "(is_published) WHERE (body IS NOT NULL)"),
    "grouped": ("SELECT user_id, count(*) FROM posts GROUP BY user_id", "(user_id)"),
    "whole": ("SELECT title FROM posts", "(title)"),
    "unlike": ("SELECT id FROM posts WHERE user_id <> 7", "(id) INCLUDE (user_id)"),
    "range": (
        "SELECT user_id FROM posts WHERE created_at > '2026-01-02'",
        "(created_at) INCLUDE (user_id)",
    ),
    "order": ("SELECT id FROM posts WHERE is_published ORDER BY id", "(id) WHERE is_published"),
}


@pytest.mark.parametrize("what", NARROW)
def test_few_columns_of_most_rows_come_out_of_an_index(what: str, shop: Connection, copy: Copy) -> None:
    """Where most rows of a wide table are wanted, but few columns, an index takes the place of the table."""
    for each in POSTS.split(";"):
        shop.execute(each.encode())
    vacuum(shop, "posts")
    statement, expected = NARROW[what]
    advice = advise(copy(), [WorkloadStatement(statement)])
    assert [each.ddl for each in advice.indexes] == [f"CREATE INDEX CONCURRENTLY ON public.posts {expected}"]
    assert advice.statements[0].cost_after < advice.statements[0].cost_before / 2


PARTITIONED = """
SET synchronous_commit = on;
CREATE TABLE log (id int, store int, at timestamptz, note text) PARTITION BY RANGE (at);
CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE log_2 PARTITION OF log FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
CREATE TABLE log_3 PARTITION OF log DEFAULT;
INSERT INTO log
SELECT i, i * 7919 % 500, '2026-01-01'::timestamptz + i * interval '2 minutes', repeat('x', 80)
  FROM generate_series(1, 50000) AS i
"""
ABOVE = {
    "order": ("SELECT * FROM log ORDER BY at DESC LIMIT 20", "(at DESC)"),
    "page": (
        "SELECT * FROM log WHERE (at, id) < ('2026-02-10', 500) ORDER BY at DESC, id DESC LIMIT 20",
        "(at DESC, id DESC)",
    ),
    "largest": ("SELECT max(at) FROM log WHERE store = 7", "(store, at)"),
    "join": ("SELECT l.* FROM users u JOIN log l ON l.store = u.id WHERE u.id = 17", "(store)"),
    "itself": ("SELECT a.* FROM log a JOIN log b ON b.store = a.id WHERE b.id = 17", "(id, store)"),
    "itself again": ("SELECT * FROM log WHERE id IN (SELECT store FROM log WHERE id = 7)", "(id, store)"),
    "each": (
        "SELECT u.id, (SELECT max(at) FROM log WHERE store = u.id) FROM users u WHERE u.id < 300",
        "(store, at)",
    ),
}


@pytest.mark.parametrize("what", ABOVE)
def test_what_is_asked_of_all_partitions_together(what: str, shop: Connection, copy: Copy) -> None:
    """Order, joins and largest values, which stand above the partitions, get their index, too."""
    for each in PARTITIONED.split(";"):
        shop.execute(each.encode())
    vacuum(shop, "log_1", "log_2")
    shop.execute("ANALYZE log")
    statement, expected = ABOVE[what]
    advice = advise(copy(), [WorkloadStatement(statement)])
    assert [each.ddl for each in advice.indexes] == [f"CREATE INDEX CONCURRENTLY ON public.log {expected}"]
    assert advice.statements[0].cost_after < advice.statements[0].cost_before / 3


def test_a_partition_is_served_by_the_index_of_its_table(shop: Connection, database_url: str) -> None:
    """A scan of a partition is not told to be past help where the partitioned table's index spares it."""
    for each in PARTITIONED.split(";"):
        shop.execute(each.encode())
    vacuum(shop, "log_1", "log_2")
    shop.execute("ANALYZE log")
    texts = ["SELECT * FROM log WHERE id = $1", "SELECT * FROM log WHERE note <> $1"]
    counted = [StatementStats(text, text, 10, 100.0, 10.0, 20.0, 10) for text in texts]
    asked = advise_observed(psycopg_url(database_url), Observations(), counted)
    assert [each.ddl for each in asked.indexes] == ["CREATE INDEX CONCURRENTLY ON public.log (id)"]
    assert set(asked.scans) == {"public.log_1", "public.log_2", "public.log_3"}
    assert [each.text for each in asked.left("public.log_2")] == texts[1:]


def test_a_page_by_key(copy: Copy) -> None:
    """Rows compared as a whole begin the index with their first column."""
    statement = "SELECT * FROM orders WHERE (total, id) > (995, 7)"
    (index,) = advise(copy(), [WorkloadStatement(statement)]).indexes
    assert index.ddl == "CREATE INDEX CONCURRENTLY ON public.orders (total)"


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM users WHERE deleted_at IS NULL",
        "SELECT id, bio FROM users WHERE deleted_at IS NULL",
        "SELECT user_id FROM orders WHERE status <> 'done' FOR UPDATE",
        "SELECT id FROM users",
    ],
)
def test_what_an_index_would_only_repeat_stays_in_the_table(statement: str, copy: Copy) -> None:
    """Whole rows, wide columns, locked rows and what an index has already bring no further index."""
    assert advise(copy(), [WorkloadStatement(statement)]).indexes == ()


def test_either(copy: Copy) -> None:
    """The sides of an OR get an index each, or one that serves both."""
    statement = "SELECT * FROM orders WHERE user_id = 7 AND note = 'y' OR user_id = 9 AND total = 5"
    advice = advise(copy(), [WorkloadStatement(statement)])
    assert [each.ddl for each in advice.indexes if "user_id" not in each.ddl] == []
    assert advice.statements[0].cost_after < advice.statements[0].cost_before / 20


def test_all_together(copy: Copy) -> None:
    """One workload of all of them gets fewer indexes than statements, and each statement is served."""
    advice = advise(copy(), [WorkloadStatement(statement) for statement, _ in KINDS.values()])
    assert len(advice.indexes) < len(KINDS)
    assert [each.text for each in advice.statements if each.cost_after > each.cost_before / 2] == []


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM orders WHERE id = 7",
        "SELECT * FROM orders ORDER BY created_at DESC LIMIT 10",
        "SELECT * FROM orders",
        "SELECT count(*) FROM users",
        "SELECT * FROM orders WHERE status <> 'done'",
        "INSERT INTO docs VALUES (0, 'w')",
        "SELECT 1",
    ],
)
def test_what_needs_no_index_gets_none(statement: str, copy: Copy) -> None:
    """What an index serves already, and what none could, is left as it is."""
    assert advise(copy(), [WorkloadStatement(statement)]).indexes == ()


def test_what_exists_is_not_advised_again(shop: "psycopg.Connection[tuple[object, ...]]", copy: Copy) -> None:
    """An index whose keys begin with the wanted ones makes them superfluous."""
    shop.execute("CREATE INDEX ON orders (user_id, status, total)")
    shop.execute("ANALYZE orders")
    statement = WorkloadStatement("SELECT * FROM orders WHERE user_id = 7 AND status = 'done'")
    assert advise(copy(), [statement]).indexes == ()


def test_writes_count(copy: Copy) -> None:
    """An index that saves little is not worth it where rows are written a million times more often."""
    read = WorkloadStatement("SELECT count(*) FROM docs WHERE body LIKE '%w77 w5%'", 1)
    write = WorkloadStatement("INSERT INTO docs VALUES (0, 'w')", 1_000_000)
    advice = advise(copy(), [read, write])
    assert advice.indexes == ()
    (alone,) = advise(copy(), [read]).indexes
    assert alone.write_cost > 5


def test_a_statement_that_cannot_be_planned_is_told(copy: Copy) -> None:
    """It is left out with the reason, the others are served."""
    statements = [WorkloadStatement("SELECT * FROM nowhere"), WorkloadStatement(KINDS["covering"][0])]
    advice = advise(copy(), statements)
    assert 'relation "nowhere" does not exist' in advice.statements[0].problem
    assert advice.indexes[0].statements == (1,)
