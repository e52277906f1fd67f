"""Changes read out of SQL and of the advisor's JSON; what is not safe on a live database is refused."""

import json

import pytest

from pitstop.errors import ChangeRefused
from pitstop.schema import (
    Analyze,
    AttachIndex,
    CreateExtension,
    CreateIndex,
    DropIndex,
    Name,
    ReindexIndex,
    parse_change,
    read_script,
)
from pitstop.schema.name import child_name, index_name


@pytest.mark.parametrize(
    ("sql", "change"),
    [
        ("create index on orders(a)", CreateIndex(Name("orders"), "(a)")),
        (
            'CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS "My ""ix""" ON shop."Orders" '
            "USING btree (a) WHERE b",
            CreateIndex(Name("Orders", "shop"), "USING btree (a) WHERE b", 'My "ix"', unique=True),
        ),
        (
            "create /* why */ index IX -- because\n on only t using gin (a)",
            CreateIndex(Name("t"), "using gin (a)", "ix", only=True),
        ),
        ("CREATE INDEX one ON t (a)", CreateIndex(Name("t"), "(a)", "one")),
        ("DROP INDEX CONCURRENTLY IF EXISTS shop.ix", DropIndex(Name("ix", "shop"))),
        ("ALTER INDEX a ATTACH PARTITION s.b", AttachIndex(Name("a"), Name("b", "s"))),
        ("CREATE EXTENSION pg_trgm", CreateExtension("pg_trgm")),
        ("CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA ext", CreateExtension("pg_trgm", "ext")),
        ("ANALYZE shop.orders", Analyze(Name("orders", "shop"))),
    ],
)
def test_read(sql: str, change: object) -> None:
    """Each form is read, with names as PostgreSQL understands them, and written so that it reads the same."""
    read = parse_change(sql)
    assert read == change
    assert parse_change(read.sql) == change


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE orders",
        "DROP INDEX a, b",
        "DROP INDEX a CASCADE",
        "ALTER TABLE orders ADD COLUMN a int",
        "CREATE TABLE a (b int)",
        "REINDEX INDEX a, b",
        "REINDEX (VERBOSE) TABLE a",
        "REINDEX INDEX a TABLESPACE b",
        "ANALYZE",
        "VACUUM FULL orders",
        "DELETE FROM orders",
    ],
)
def test_refused(sql: str) -> None:
    """What may hold writers up, or lose rows, is refused by name."""
    with pytest.raises(ChangeRefused, match="cannot carry out") as refused:
        parse_change(sql)
    assert sql in str(refused.value)


def test_a_long_name_is_refused() -> None:
    """PostgreSQL would cut it off without a word, and nobody would find it again."""
    with pytest.raises(ChangeRefused, match="is 66 bytes long"):
        parse_change(f"CREATE INDEX {'색' * 22} ON orders (a)")


def test_script() -> None:
    """Semicolons in strings and remarks end nothing; the line behind a statement says how to take it back."""
    script = """
    -- not a change; at all
    CREATE INDEX a ON t ((b || ';')) WHERE c = $$;$$;
    -- revert: DROP INDEX CONCURRENTLY a;

    DROP INDEX d; -- revert: CREATE INDEX d ON t (e);
    ;
    CREATE INDEX f ON t (g) -- no semicolon
    """
    first, second, third = read_script(script)
    assert first.change == CreateIndex(Name("t"), "((b || ';')) WHERE c = $$;$$", "a")
    assert first.revert == DropIndex(Name("a"))
    assert second.revert == CreateIndex(Name("t"), "(e)", "d")
    assert (third.change, third.revert) == (CreateIndex(Name("t"), "(g)", "f"), None)


def test_advice() -> None:
    """JSON of the advisor and of doctor: what each index needs before it, and of a report what is safe."""
    ddl = "CREATE INDEX ON t USING gin (a gin_trgm_ops)"
    advice = {
        "indexes": [{"ddl": ddl, "prerequisites": ["CREATE EXTENSION pg_trgm"]}],
        "report": [
            {"safe": True, "cure": "DROP INDEX CONCURRENTLY public.b"},
            {"safe": True, "cure": "REINDEX INDEX CONCURRENTLY public.c"},
            {"safe": False, "cure": "DROP INDEX CONCURRENTLY public.d"},
            {"safe": False, "kind": "invalid", "cure": "DROP INDEX CONCURRENTLY public.e"},
        ],
    }
    reported = [
        DropIndex(Name("b", "public")),
        ReindexIndex(Name("c", "public")),
        DropIndex(Name("e", "public"), leftover=True),
    ]
    changes = [each.change for each in read_script(json.dumps(advice))]
    assert changes == [CreateExtension("pg_trgm"), parse_change(ddl), *reported]
    doctor = {"findings": [{"rule": "x", "ddl": ddl}, {"rule": "n-plus-one"}]}
    assert [each.change for each in read_script(json.dumps(doctor))] == [parse_change(ddl)]
    missing = {"findings": [{"rule": "missing-index", "indexes": advice["indexes"]}]}
    assert [each.change for each in read_script(json.dumps(missing))] == changes[:2]
    with pytest.raises(ChangeRefused, match="pitstop indexes --json"):
        read_script('{"indexes": [{}]}')


def test_made_names() -> None:
    """Made names are readable, the same each time, and never longer than PostgreSQL keeps."""
    assert index_name("orders", "(store_id, created_at)") == "ix_orders_store_id_created_at"
    assert index_name("orders", "(a desc)") == index_name("orders", " (a  desc)".strip())
    assert index_name("orders", "(a desc)") != index_name("orders", "(a)")
    assert len(index_name("orders", f"({', '.join('column_' + each for each in 'abcdefghij')})")) == 63
    assert len(child_name("색" * 20, "인" * 20).encode()) <= 63
    assert child_name("색" * 20, "인" * 20) != child_name("색" * 20, "덱" * 20)
