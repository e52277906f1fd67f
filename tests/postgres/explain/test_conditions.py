"""Conditions of plans, taken apart as an index needs them."""

import pytest

from pitstop.postgres.explain.conditions import Condition, read_conditions, split_top


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(a = 5)", Condition("a", "=", "5")),
        ("((b)::text = 'x y'::text)", Condition("b", "=", "'x y'::text")),
        ("(o.user_id = u.id)", Condition("user_id", "=", "u.id", table="o")),
        ('("Key" >= 5)', Condition('"Key"', ">=", "5")),
        ("(NOT deleted)", Condition("deleted", "=", "false")),
        ("(a IS NULL)", Condition("a", "IS", "NULL")),
        ("(id = ANY ('{1,2}'::integer[]))", Condition("id", "= ANY", "ANY ('{1,2}'::integer[])")),
        ("(name ~~ '%x%'::text)", Condition("name", "~~", "'%x%'::text")),
        (
            "(lower((u.email)::text) = 'a'::text)",
            Condition("lower(email)", "=", "'a'::text", "function", "email"),
        ),
        (
            "((at)::date = '2026-01-01'::date)",
            Condition("((at)::date)", "=", "'2026-01-01'::date", "cast", "at"),
        ),
        (
            "((data ->> 'k'::text) = 'v'::text)",
            Condition("(data ->> 'k'::text)", "=", "'v'::text", "function", "data"),
        ),
        (
            "(EXTRACT(year FROM at) = '2026'::numeric)",
            Condition("EXTRACT(year FROM at)", "=", "'2026'::numeric", "function", "at"),
        ),
    ],
)
def test_one(text: str, expected: Condition) -> None:
    """Column, operator, value, and what wraps the column."""
    assert read_conditions(text) == [expected]


def test_several() -> None:
    """Only the AND at the top separates; quotes and parentheses keep theirs."""
    text = "((a = 'it''s ) AND ('::text) AND ((b = 2) OR (c = 3)) AND (d > 4))"
    assert [each.column for each in read_conditions(text)] == ["a", "d"]
    assert split_top("((a = 1) OR (b = ' OR '))", "OR") == ["a = 1", "b = ' OR '"]


def test_what_no_index_serves() -> None:
    """A sum of columns and a subquery are left out."""
    assert read_conditions("(((a + b) = 5) AND (NOT (ANY (id = (hashed SubPlan 1).col1))))") == []
