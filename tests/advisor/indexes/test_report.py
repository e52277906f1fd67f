"""Reports on the indexes that are there, on a database where each fault was planted."""

from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from pitstop.advisor.indexes.report import IndexFinding, Usage, examine_indexes, query_usage
from pitstop.postgres.address import libpq_url
from pitstop.postgres.catalog import read_catalog
from pitstop.postgres.indexes import query_indexes

LONG = Usage(days=30.0, is_replica=False, replicas=0)
Shop = psycopg.Connection[tuple[Any, ...]]


def examine(url: str, usage: Usage = LONG, **options: Any) -> dict[str, IndexFinding]:
    with psycopg.connect(libpq_url(url), row_factory=dict_row) as connection:
        found = examine_indexes(query_indexes(connection), usage, **options)
    return {f"{each.kind} {each.subject}": each for each in found}


def scan(shop: Shop, index: str, condition: str) -> None:
    """Let an index be used."""
    shop.execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
    shop.execute(f"SELECT count(*) FROM orders WHERE {condition}")  # type: ignore[call-overload]
    shop.execute("SELECT pg_stat_force_next_flush()")
    (scans,) = shop.execute(
        "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = %s", [index]
    ).fetchone() or (0,)
    assert scans, f"{index} was not used"


def test_a_sound_index_is_left_alone(shop: Shop, database_url: str) -> None:
    """An index that is used, and those of primary keys, are no finding."""
    scan(shop, "orders_created_at", "created_at = '2026-02-02'")
    assert examine(database_url) == {}


def test_unused(database_url: str) -> None:
    """An index without a scan may go when the counts are old enough, and nobody else reads."""
    (finding,) = examine(database_url).values()
    assert (finding.kind, finding.subject, finding.safe) == ("unused", "public.orders_created_at", True)
    assert finding.cure == "DROP INDEX CONCURRENTLY public.orders_created_at"
    assert finding.saves_bytes > 1_000_000


def test_the_only_index_of_a_foreign_key_is_not_dropped_lightly(shop: Shop, database_url: str) -> None:
    """It would be advised again for the key; one may go beside another that is used."""
    scan(shop, "orders_created_at", "created_at = '2026-02-02'")
    shop.execute("CREATE TABLE parents (id int PRIMARY KEY)")
    shop.execute("CREATE TABLE children (id int, parent_id int CONSTRAINT theirs REFERENCES parents)")
    shop.execute("CREATE INDEX of_parent ON children (parent_id)")
    (alone,) = examine(database_url).values()
    assert not alone.safe
    assert alone.before.startswith("deletes in the parent of theirs would read all of public.children")
    shop.execute("CREATE INDEX of_both ON children (parent_id DESC, id)")
    assert [each.safe for each in examine(database_url).values()] == [False, False]
    shop.execute("ALTER TABLE children ADD UNIQUE (parent_id, id)")
    assert [each.safe for each in examine(database_url).values()] == [True, True]


def test_an_index_of_a_partitioned_table_is_used_by_its_parts(shop: Shop, database_url: str) -> None:
    """Scans are counted for the parts; the whole has as many as they have together."""
    shop.execute(
        "CREATE TABLE logs (at int, place int) PARTITION BY RANGE (at);"
        "CREATE TABLE logs_1 PARTITION OF logs FOR VALUES FROM (0) TO (100000);"
        "INSERT INTO logs SELECT i, i FROM generate_series(1, 50000) AS i;"
        "CREATE INDEX logs_place ON logs (place); ANALYZE logs"
    )
    assert "unused public.logs_place" in examine(database_url)
    shop.execute("SELECT * FROM logs WHERE place = 77")
    shop.execute("SELECT pg_stat_force_next_flush()")
    assert "unused public.logs_place" not in examine(database_url)


@pytest.mark.parametrize(
    ("usage", "says"),
    [
        (Usage(0.5, False, 0), "0.5 days only"),
        (Usage(30.0, False, 2), "2 replicas count their own scans"),
        (Usage(30.0, True, 0), "ask the primary"),
    ],
)
def test_unused_is_not_certain(database_url: str, usage: Usage, says: str) -> None:
    """Young counts and replicas speak against dropping it."""
    (finding,) = examine(database_url, usage).values()
    assert not finding.safe
    assert says in finding.before


def test_what_has_a_duty_stays(shop: Shop, database_url: str) -> None:
    """Unique indexes, those of constraints and the replica identity are never in vain."""
    shop.execute("DROP INDEX orders_created_at")
    shop.execute("CREATE UNIQUE INDEX once ON users (id, email)")
    shop.execute("ALTER TABLE users ADD CONSTRAINT email_once UNIQUE (email)")
    shop.execute("ALTER TABLE docs ADD extra int NOT NULL DEFAULT 0")
    shop.execute("CREATE UNIQUE INDEX marked ON docs (id, extra)")
    shop.execute("ALTER TABLE docs REPLICA IDENTITY USING INDEX marked")
    assert examine(database_url) == {}


def test_duplicates(shop: Shop, database_url: str) -> None:
    """Of two equal indexes one goes, and the one with a duty stays."""
    shop.execute("CREATE INDEX created_again ON orders (created_at)")
    shop.execute("CREATE INDEX users_again ON users (id)")
    found = examine(database_url)
    assert "duplicate public.users_again" in found
    assert [key for key in found if key.startswith("duplicate")] == [
        "duplicate public.orders_created_at",
        "duplicate public.users_again",
    ]


@pytest.mark.parametrize(
    ("ddl", "overlaps"),
    [
        ("CREATE INDEX wide ON orders (created_at, id)", True),
        ("CREATE INDEX wide ON orders (created_at) INCLUDE (id)", True),
        ("CREATE INDEX wide ON orders (created_at DESC, id)", False),
        ("CREATE INDEX wide ON orders (id, created_at)", False),
        ("CREATE INDEX wide ON orders (created_at, id) WHERE id > 5", False),
        ("CREATE INDEX wide ON orders USING brin (created_at)", False),
    ],
)
def test_overlapping(shop: Shop, database_url: str, ddl: str, overlaps: bool) -> None:
    """An index is superfluous if another begins with its keys, in direction, predicate and method alike."""
    shop.execute(ddl)  # type: ignore[call-overload]
    assert ("overlapping public.orders_created_at" in examine(database_url)) is overlaps


def test_collations_and_operator_classes_differ(shop: Shop, database_url: str) -> None:
    """The same column with another collation or operator class is another index."""
    shop.execute('CREATE INDEX c_order ON users (email COLLATE "C")')
    shop.execute("CREATE INDEX patterns ON users (email text_pattern_ops)")
    shop.execute("CREATE INDEX plain ON users (email)")
    assert [key for key in examine(database_url) if not key.startswith("unused")] == []


def test_the_heir_of_a_used_index_is_not_unused(shop: Shop, database_url: str) -> None:
    """When an index that is used goes for another's sake, that one will be used."""
    scan(shop, "orders_created_at", "created_at = '2026-02-02'")
    shop.execute("CREATE INDEX wide ON orders (created_at, id)")
    assert list(examine(database_url)) == ["overlapping public.orders_created_at"]


def test_invalid(shop: Shop, database_url: str) -> None:
    """What a failed build left behind is told, with what to check before."""
    shop.execute("DROP INDEX orders_created_at")
    with pytest.raises(psycopg.errors.UniqueViolation):
        shop.execute("CREATE UNIQUE INDEX CONCURRENTLY broken ON users (country)")
    finding = examine(database_url)["invalid public.broken"]
    assert not finding.safe
    assert "may be running" in finding.before


def test_bloat(shop: Shop, database_url: str, copy: Any) -> None:
    """An index twice as large as a new one would be is told, a fresh one is not."""
    shop.execute("CREATE INDEX total ON orders (total)")
    shop.execute("CREATE INDEX fresh ON orders (user_id)")
    shop.execute("UPDATE orders SET total = total + 0.01")
    shop.execute("REINDEX INDEX fresh")
    shop.execute("VACUUM ANALYZE orders")
    found = [key for key in examine(database_url, whatif=copy()) if key.startswith("bloated")]
    assert "bloated public.orders_pkey" in found
    assert "bloated public.fresh" not in found


def test_foreign_keys(database_url: str) -> None:
    """A foreign key without an index is told with the index."""
    found = examine(database_url, catalog=read_catalog(database_url))
    assert found["foreign-key orders (user_id)"].cure == "CREATE INDEX CONCURRENTLY ON orders (user_id)"


def test_usage(shop: Shop, database_url: str) -> None:
    """The age of the counts is the younger of the reset and the start of the server."""
    with psycopg.connect(libpq_url(database_url), row_factory=dict_row) as connection:
        usage = query_usage(connection)
    assert 0 < usage.days < 1
    assert (usage.is_replica, usage.replicas) == (False, 0)
