"""Statements for a person: short ones, and ones without their values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitstop.postgres import abbreviate, redact

LETTERS = st.text("jvzq", min_size=4, max_size=12)
LITERALS = st.one_of(
    LETTERS.map(lambda word: f"'{word}'"),
    LETTERS.map(lambda word: f"E'{word}\\'{word}'"),
    LETTERS.map(lambda word: f"'{word}''{word}'"),
    LETTERS.map(lambda word: f"U&'{word}'"),
    LETTERS.map(lambda word: f"$${word}$$"),
    LETTERS.map(lambda word: f"$tag$ {word} $ {word} $tag$"),
    LETTERS.map(lambda word: f"1 /* {word} */"),
    LETTERS.map(lambda word: f"1 -- {word}\n"),
    st.sampled_from(["98765", "-98765", "98.765", ".98765", "98_765", "0x98765", "9.8765e5", "98765."]),
)


@given(st.lists(LITERALS, min_size=1, max_size=6))
def test_no_value_is_left(literals: list[str]) -> None:
    """Strings of every kind, numbers of every kind and comments are gone; the rest stands as it was."""
    found = redact(f'SELECT a.Id FROM "My T1" a WHERE a.b IN ({", ".join(literals)})')
    assert found.startswith('SELECT a.Id FROM "My T1" a WHERE a.b IN (')
    assert not set(found) & set("jvzq9876543")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT  1,\n 2", "SELECT ?, ?"),
        ("SELECT $1::INTEGER, %(a)s::VARCHAR(3), %s, :b, ?", "SELECT $1, %(a)s, %s, :b, ?"),
        ("SELECT a::text[], '1'::jsonb", "SELECT a::text[], ?"),
        ("WHERE a IN (1, 2, 3, 4)", "WHERE a IN (?, ...)"),
        ("WHERE a IN (%(a)s, %(b)s, %(c)s)", "WHERE a IN (%(a)s, ...)"),
        ("WHERE a IN ($1::INTEGER, $2::INTEGER, $3::INTEGER)", "WHERE a IN ($1, ...)"),
        ("WHERE a IN (1, 2)", "WHERE a IN (?, ?)"),
        ("SELECT 'it is never closed, secret", "SELECT ?"),
        ("SELECT $tag$ never closed", "SELECT ?"),
        ("SELECT a /* never closed, secret", "SELECT a ?"),
        ("SELECT t1.c2, x2", "SELECT t1.c2, x2"),
    ],
)
def test_redacted(text: str, expected: str) -> None:
    """Placeholders and names stay, white space is one blank, long lists are short."""
    assert redact(text) == expected


def test_short_statements_stay() -> None:
    """What fits is only put into one line."""
    assert abbreviate("SELECT a\n  FROM b", max_chars=80) == "SELECT a FROM b"


def test_columns_go_first() -> None:
    """Of a long list of columns the beginning is shown, of the rest as much as fits."""
    columns = ", ".join(f"posts.column_{number}" for number in range(30))
    found = abbreviate(f"SELECT {columns} FROM posts WHERE posts.id = ?", max_chars=100)
    assert found == "SELECT posts.column_0, posts.column_1, ... FROM posts WHERE posts.id = ?"


@given(st.text(), st.integers(20, 200))
def test_the_length_holds(text: str, max_chars: int) -> None:
    """Whatever the text, the result is one line that is not too long."""
    found = abbreviate(text, max_chars=max_chars)
    assert len(found) <= max_chars
    assert "\n" not in found
