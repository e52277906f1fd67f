"""Conditions as EXPLAIN prints them, taken apart."""

import pytest

from pitstop.advisor.indexes.clause import columns_of, conjuncts, local_text, read_clause

CLAUSES = [
    ("(o.tenant_id = 7)", ("equal", "tenant_id", True, False)),
    ("(7 = o.tenant_id)", ("equal", "tenant_id", True, False)),
    ("(o.tenant_id = $1)", ("equal", "tenant_id", False, False)),
    ("(o.user_id = u.id)", ("equal", "user_id", False, True)),
    ("(u.id = o.user_id)", ("equal", "user_id", False, True)),
    ("(5 < o.total)", ("range", "total", True, False)),
    ("(o.at >= (now() - '1 day'::interval))", ("range", "at", False, False)),
    ("(o.deleted_at IS NULL)", ("null", "deleted_at", True, False)),
    ("(o.deleted_at IS NOT NULL)", ("null", "deleted_at", True, False)),
    ("o.done", ("true", "done", True, False)),
    ("(NOT o.done)", ("true", "done", True, False)),
    ("(lower(o.email) = 'x = y AND (z'::text)", ("equal", "lower(email)", True, False)),
    ("((o.code)::text = 'a'::text)", ("equal", "code", True, False)),
    ("((o.at)::date = '2026-01-01'::date)", ("equal", "(at)::date", True, False)),
    ("((o.data ->> 'k'::text) = '5'::text)", ("equal", "data ->> 'k'::text", True, False)),
    ("(o.id = ANY ('{1,2}'::integer[]))", ("list", "id", True, False)),
    ("(o.name ~~ '%ab%'::text)", ("pattern", "name", True, False)),
    ("((o.name)::text ~~* $1)", ("pattern", "name", False, False)),
    ("(o.data @> '{\"a.b\": 1}'::jsonb)", ("contains", "data", True, False)),
    ("(o.data ? 'a'::text)", ("contains", "data", True, False)),
    ("(to_tsvector('english'::regconfig, o.body) @@ '''a'''::tsquery)",
     ("match", "to_tsvector('english'::regconfig, body)", True, False)),
    ('(o."userId" = 3)', ("equal", '"userId"', True, False)),
]  # fmt: skip


@pytest.mark.parametrize(("condition", "expected"), CLAUSES)
def test_clauses(condition: str, expected: tuple[str, str, bool, bool]) -> None:
    """Kind, subject, whether it is compared with a literal, and whether with another relation."""
    clause = read_clause(condition, "o")
    assert clause is not None
    assert (clause.kind, clause.subject, clause.constant, clause.joins) == expected


@pytest.mark.parametrize(
    "condition",
    [
        "(u.id = 7)",
        "(o.total <> 7)",
        "(o.a = o.b)",
        "(NOT (ANY (o.id = (hashed SubPlan 1).col1)))",
        "(o.status <> ALL ('{a,b}'::text[]))",
    ],
)
def test_what_no_index_serves(condition: str) -> None:
    """Conditions on others, inequalities, two columns of one table and subplans are left out."""
    assert read_clause(condition, "o") is None


def test_conjuncts() -> None:
    """AND and OR are followed outside of parentheses, strings and arguments only."""
    text = "((o.a = 1) AND (o.b = 'x AND y'::text) AND ((o.c = 1) OR ((o.d = 2) AND (o.e = 3))))"
    assert conjuncts(text) == [
        [["(o.a = 1)"]],
        [["(o.b = 'x AND y'::text)"]],
        [["(o.c = 1)"], ["(o.d = 2)", "(o.e = 3)"]],
    ]


def test_names() -> None:
    """Columns are found with their owners, but not in strings, and written without them for their table."""
    text = "(o.a = 'o.b'::text) AND u.\"C d\" > pg_catalog.lower(o.e)"
    assert columns_of(text) == [("o", "a"), ("u", '"C d"'), ("o", "e")]
    assert local_text(text, "o") == "(a = 'o.b'::text) AND u.\"C d\" > pg_catalog.lower(e)"
