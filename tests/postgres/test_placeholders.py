"""Placeholders: which repeats of a statement are pages or batches, and what is compared with what."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitstop.postgres import compared_columns, only_pages, split_literals
from pitstop.postgres.placeholders import MOST_SKIPPED, skipped_rows

P = "SELECT * FROM posts WHERE "
MANY = tuple(range(1000))


def dollars(count: int, *, cast: str = "") -> str:
    return ", ".join(f"${number}{cast}" for number in range(1, count + 1))


# text, parameters of two executions, whether they are pages, the columns compared for equality
CASES: dict[str, tuple[str, Any, Any, bool, list[str]]] = {
    "keyset": (P + "id > $1 ORDER BY id LIMIT $2", (1, 20), (21, 20), True, []),
    "keyset, psycopg": (
        P + "posts.id > %(id_1)s::INTEGER ORDER BY id LIMIT %(param_1)s::INTEGER",
        {"id_1": 1, "param_1": 20},
        {"id_1": 21, "param_1": 20},
        True,
        [],
    ),
    "keyset, format": (P + "id < %s LIMIT %s", (90, 20), (70, 20), True, []),
    "keyset, sqlite": (P + "id >= ? LIMIT ? OFFSET ?", (1, 20, 0), (21, 20, 0), True, []),
    "keyset, named": (P + "id<=:last LIMIT :most", {"last": 9, "most": 2}, {"last": 7, "most": 2}, True, []),
    "row value": (P + "(created, id) < ($1, $2) LIMIT 20", ("b", 2), ("a", 1), True, []),
    "row value, casts": (P + "(created, id) < ($1::TIMESTAMP, $2::INTEGER)", ("b", 2), ("a", 1), True, []),
    "expanded or": (
        P + "created < $1 OR (created = $2 AND id < $3) LIMIT 20",
        ("b", "b", 2),
        ("a", "a", 1),
        True,
        ["created"],
    ),
    "expanded or, value used twice": (
        P + "created < %(at)s OR created = %(at)s AND id < %(id)s",
        {"at": 2, "id": 5},
        {"at": 1, "id": 9},
        True,
        [],
    ),
    "offset": (P + "kind = $1 LIMIT $2 OFFSET $3", (1, 20, 0), (1, 20, 20), True, []),
    "limit alone": (P + "kind = 1 LIMIT $1", (20,), (40,), True, []),
    "fetch first": ("SELECT 1 OFFSET $1 ROWS FETCH FIRST $2 ROWS ONLY", (0, 5), (5, 6), True, []),
    "between": (P + "created BETWEEN $1 AND $2", (1, 2), (3, 4), True, []),
    "between, casts": (P + "created between $1::DATE and $2::DATE", (1, 2), (3, 4), True, []),
    "window of dates": (P + "created >= $1 AND created < $2", (1, 2), (2, 3), True, []),
    "window of one owner": (P + "created >= $1 AND owner = $2", (1, 7), (2, 7), True, []),
    "window of several owners": (P + "created >= $1 AND owner = $2", (1, 7), (2, 8), False, ["owner"]),
    "page of several owners": (P + "owner = $1 LIMIT $2 OFFSET $3", (1, 5, 0), (2, 5, 5), False, ["owner"]),
    "in, one value": (P + "id IN ($1)", (1,), (2,), False, ["id"]),
    "in, one value, cast": (P + "posts.id IN ($1::INTEGER)", (1,), (2,), False, ["posts.id"]),
    "in, several values": (P + "id IN ($1, $2)", (1, 2), (3, 4), True, []),
    "in, several, casts": (P + "id IN ($1::INTEGER, $2::INTEGER)", (1, 2), (3, 4), True, []),
    "in, several, psycopg": (
        P + "id IN (%(id_1_1)s::INTEGER, %(id_1_2)s::INTEGER)",
        {"id_1_1": 1, "id_1_2": 2},
        {"id_1_1": 3, "id_1_2": 4},
        True,
        [],
    ),
    "in, a thousand": (P + f"id IN ({dollars(1000)})", MANY, MANY[::-1], True, []),
    "in, a thousand casts": (P + f"id IN ({dollars(1000, cast='::BIGINT')})", MANY, MANY[::-1], True, []),
    "in, a thousand, sqlite": (P + f"id IN ({', '.join('?' * 1000)})", MANY, MANY[::-1], True, []),
    "a thousand, then an owner": (
        P + f"id IN ({dollars(1000)}) AND owner = $1001",
        (*MANY, 1),
        (*MANY, 2),
        False,
        ["owner"],
    ),
    "any": (P + "id = ANY($1)", ([1],), ([2],), True, []),
    "any, cast": (P + "id = ANY ($1::INTEGER[])", ([1],), ([2],), True, []),
    "equality": (P + "id = $1", (1,), (2,), False, ["id"]),
    "equality, cast": (P + "posts.id=$1::UUID", (1,), (2,), False, ["posts.id"]),
    "equality, quoted": (P + '"Posts"."Id" = ?', (1,), (2,), False, ['"posts"."id"']),
    "two columns, both differ": (P + "b = $1 AND a = $2", (1, 1), (2, 2), False, ["a", "b"]),
    "two columns, one differs": (P + "b = $1 AND a = $2", (1, 1), (1, 2), False, ["a"]),
    "argument of a function": (P + "search($1, $2)", ("a", 1), ("b", 1), False, []),
    "compared with a function": (P + "name = lower($1)", ("a",), ("b",), False, []),
    "a function compared": (P + "lower(name) = $1", ("a",), ("b",), False, []),
    "unequal": (P + "id <> $1", (1,), (2,), False, []),
    "pattern": (P + "name LIKE $1", ("a%",), ("b%",), False, []),
    "value selected": ("SELECT $1", (1,), (2,), False, []),
    "insert": ("INSERT INTO posts (a, b) VALUES ($1, $2)", (1, 2), (3, 4), False, []),
    "update": ("UPDATE posts SET a = $1 WHERE id = $2", (1, 2), (1, 3), False, ["id"]),
    "nothing differs": (P + "id > $1", (1,), (1,), False, []),
    "no parameters": (P + "id > 1", (), (), False, []),
    "none": (P + "id > 1", None, None, False, []),
    "other lengths": (P + "id IN ($1, $2)", (1, 2), (1, 2, 3), False, []),
    "other kinds": (P + "id > $1", (1,), {"id": 1}, False, []),
    "casts are no names": (P + "a::text = $1 AND b > :b", {"b": 1}, {"b": 2}, True, []),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_pages_are_told_from_repeats(case: tuple[str, Any, Any, bool, list[str]]) -> None:
    """Paging, windows and chunks are no N+1; a value compared for equality is."""
    text, first, other, pages, _ = case
    assert only_pages(text, first, other) is pages
    assert only_pages(text, other, first) is pages


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_compared_columns_are_named(case: tuple[str, Any, Any, bool, list[str]]) -> None:
    """The columns that differing values are compared with for equality, sorted, each once."""
    text, first, other, _, columns = case
    assert compared_columns(text, first, other) == columns


VALUES = st.lists(st.integers() | st.text(max_size=5), max_size=5)


@given(st.text(alphabet="$%?:()s1ab =<>,\"'\n", max_size=60), VALUES, VALUES)
def test_any_text_is_judged(text: str, first: list[Any], other: list[Any]) -> None:
    """Nothing raises, whatever the text and however many parameters."""
    assert isinstance(only_pages(text, first, other), bool)
    assert all(compared_columns(text, first, other))


@pytest.mark.parametrize(
    "text", ["(" * 20_000 + "$1", P + "a = $1 AND " * 500, "limit " * 5_000 + "?", "$1 ," * 1_000]
)
def test_hostile_text_is_no_burden(text: str) -> None:
    """Long runs of the same end in good time (the suite's limit)."""
    assert only_pages(text, (1, 2), (2, 3)) in (True, False)


@given(st.text(), st.integers(min_value=0))
def test_pasted_values_are_split_off(name: str, number: int) -> None:
    """Values in the text come out as they stood there, in their order, and the rest is the same for all."""
    quoted = "'" + name.replace("'", "''") + "'"
    text, values = split_literals(f"SELECT a1 FROM t2 WHERE name = {quoted} AND score > {number}")
    assert text == "SELECT a1 FROM t2 WHERE name = ? AND score > ?"
    assert values == (quoted, str(number))


def test_placeholders_are_no_pasted_values() -> None:
    """Numbers of placeholders and within names stay."""
    text = 'SELECT t1.c2, "3" FROM t1 WHERE a = $1 AND b = %(b_1)s'
    assert split_literals(text) == (text, ())


@pytest.mark.parametrize(
    ("text", "parameters", "skipped"),
    [
        (P + "id > $1 LIMIT $2 OFFSET $3", (7, 20, 60), 60),
        (P + "true LIMIT $1::INTEGER OFFSET $2::INTEGER", (20, 60), 60),
        (P + "true LIMIT %(p)s::INTEGER OFFSET %(q)s::INTEGER", {"p": 20, "q": 60}, 60),
        (P + "id > ? LIMIT ? OFFSET ?", (7, 20, 60), 60),
        (P + "id > %s LIMIT %s OFFSET %s", [7, 20, 60], 60),
        (P + "true LIMIT 20 OFFSET 60", None, 60),
        (P + "true OFFSET 60 ROWS FETCH NEXT 20 ROWS ONLY", (), 60),
        (P + "true offset ( :rows )", {"rows": 60}, 60),
        (P + "true LIMIT $1", (20,), 0),
        (P + "true LIMIT $1 OFFSET $2", (20, None), 0),
        (P + "true LIMIT $1 OFFSET $2", (20, -1), 0),
        (P + "true LIMIT $1 OFFSET $2", (20,), 0),
        (P + "true LIMIT %(p)s OFFSET %(q)s", [{"p": 1, "q": 60}], 0),
        (P + "the_offset = $1", (60,), 0),
        (P + "offset = $1", (60,), 0),
        (P + "true LIMIT $1 OFFSET $2", (20, 2**63 - 1), MOST_SKIPPED),
        (P + "true LIMIT 20 OFFSET 9223372036854775807", None, MOST_SKIPPED),
        (P + "true LIMIT 20 OFFSET " + "9" * 5000, None, MOST_SKIPPED),
    ],
)
def test_what_an_offset_skips(text: str, parameters: object, skipped: int) -> None:
    """The number behind OFFSET, in any style; 0 where there is none or it cannot be told."""
    assert skipped_rows(text, parameters) == skipped
