"""Fingerprints: what differs in its values only is one statement, what differs in more is another."""

import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitstop.postgres import fingerprint
from pitstop.postgres import fingerprint as room_face
from pitstop.postgres.fingerprint import _CACHE_ITEMS, _cache, normalise

STYLES = st.sampled_from(["$1", "$27", "%s", "%(id_1)s", "?", ":id", "7", "0", "3.25", "1e9", "'x'"])
STRINGS = (
    st.text().filter(lambda text: "\x00" not in text).map(lambda text: "'" + text.replace("'", "''") + "'")
)
NUMBERS = st.integers(min_value=0).map(str)
VALUES = STYLES | STRINGS | NUMBERS
GAPS = st.sampled_from([" ", "  ", "\n", "\t\r\n", " /* why */ ", " -- why, 'so'\n", " /* ' */ "])
WORDS = ["select", "id", ",", "name", "from", "posts", "where", "id", "=", "?", "and", "kind", "<>", "?"]


def digest(text: str) -> str:
    return fingerprint(text).digest


@given(VALUES, VALUES)
def test_values_do_not_matter(first: str, second: str) -> None:
    """Any literal and any style of placeholder give one fingerprint."""
    text = "SELECT id FROM posts WHERE title = {} AND score > {} LIMIT 5"
    assert digest(text.format(first, second)) == digest(text.format("$1", "$2"))


@given(
    st.lists(GAPS, min_size=len(WORDS), max_size=len(WORDS)),
    st.lists(st.booleans(), min_size=20, max_size=20),
)
def test_layout_does_not_matter(gaps: list[str], upper: list[bool]) -> None:
    """White space, comments and the case of words outside quotes change nothing."""
    words = [word.upper() if big else word for word, big in zip(WORDS, upper, strict=False)]
    assert digest("".join(map("".join, zip(words, gaps, strict=True)))) == digest(" ".join(WORDS))


@given(
    st.lists(VALUES, min_size=1, max_size=60), st.sampled_from(["", "::INTEGER", "::varchar(40)", "::text[]"])
)
def test_the_length_of_a_list_does_not_matter(values: list[str], cast: str) -> None:
    """IN with one value and with many, cast or not, is one statement."""
    listed = ", ".join(value + cast for value in values)
    assert digest(f"SELECT * FROM posts WHERE id IN ({listed})") == digest(
        "SELECT * FROM posts WHERE id IN (?)"
    )


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 5))
def test_the_number_of_rows_does_not_matter(few: int, many: int, width: int) -> None:
    """INSERT with one row and with many is one statement."""
    row = f"({', '.join(['%s'] * width)})"
    head = f"INSERT INTO tags ({', '.join('abcde'[:width])}) VALUES "
    assert digest(head + ", ".join([row] * few)) == digest(head + ",".join([row] * many))


@pytest.mark.parametrize(
    "literal",
    [r"E'it\'s'", "$$ it's -- no comment $$", "$tag$ $$ $tag$", "B'101'", "x'1F'", "N'x'", "'a--b'", "'/*'"],
)
def test_every_kind_of_literal_is_a_value(literal: str) -> None:
    """Strings with escapes, in dollars, of bits, and with the signs of comments inside."""
    assert normalise(f"SELECT {literal}, a FROM t") == "select ? , a from t"


DIFFERENT = [
    "SELECT id FROM posts WHERE id = 1",
    "SELECT id FROM users WHERE id = 1",
    "SELECT name FROM posts WHERE id = 1",
    "SELECT id, name FROM posts WHERE id = 1",
    "SELECT id FROM posts WHERE kind = 1",
    "SELECT id FROM posts WHERE id <> 1",
    "SELECT id FROM posts WHERE id < 1",
    "SELECT id FROM posts WHERE id <= 1",
    "SELECT id FROM posts WHERE id = 1 LIMIT 1",
    "SELECT id FROM posts WHERE id = 1 FOR UPDATE",
    "SELECT id FROM posts WHERE id = id",
    "SELECT id FROM posts WHERE id IS NULL",
    "SELECT id FROM posts WHERE id IN (1)",
    "SELECT id FROM posts WHERE id = 1 AND id = 1",
    "SELECT id FROM posts WHERE id = 1 OR id = 1",
    "SELECT id FROM posts2 WHERE id = 1",
    "SELECT id FROM blog.posts WHERE id = 1",
    'SELECT id FROM "Posts" WHERE id = 1',
    'SELECT id FROM "POSTS" WHERE id = 1',
    "SELECT id::text FROM posts WHERE id = 1",
    "SELECT id FROM posts WHERE id = data->1",
    "SELECT id FROM posts WHERE id = data->>1",
    "DELETE FROM posts WHERE id = 1",
    "UPDATE posts SET id = 1",
]


def test_other_statements_have_other_fingerprints() -> None:
    """Another table, column, operator, clause, cast or quoted name is another statement."""
    assert len({digest(text) for text in DIFFERENT}) == len(DIFFERENT)


@given(
    st.sampled_from(["posts", "t1", "a_b", "öl", "x$1"]), st.sampled_from(["posts", "t1", "a_b", "öl", "x$1"])
)
def test_digits_of_names_are_no_values(one: str, two: str) -> None:
    """A number within a name belongs to the name."""
    same = digest(f"SELECT 1 FROM {one}") == digest(f"SELECT 1 FROM {two}")
    assert same == (one == two)


@given(st.text() | st.text(alphabet="'\"$%():?-/*\\eE1a \n,=<>"))
def test_any_text_has_a_fingerprint(text: str) -> None:
    """Nothing raises, and the same text has the same fingerprint again."""
    found = fingerprint(text)
    assert len(found.digest) == 16
    assert int(found.digest, 16) >= 0
    assert fingerprint(text) == found


@pytest.mark.parametrize(
    "text", ["'" * 50_000, "$a$" * 30_000, "(" * 100_000, "/*" * 50_000, "1" * 100_000, "((?," * 20_000]
)
def test_hostile_text_is_no_burden(text: str) -> None:
    """Unclosed quotes, comments and brackets of a hundred kilobytes end in good time (the suite's limit)."""
    assert len(digest(text)) == 16


@pytest.mark.parametrize(
    ("text", "verb", "reads"),
    [
        ("SELECT 1", "select", True),
        ("  (select 1) union (select 2)", "select", True),
        ("/* app */ -- why\n Select 1", "select", True),
        ("VALUES (1)", "values", True),
        ("TABLE posts", "table", True),
        ("INSERT INTO a VALUES (1)", "insert", False),
        ("update a set b = 1", "update", False),
        ("DELETE FROM a", "delete", False),
        ("MERGE INTO a USING b ON true WHEN MATCHED THEN DELETE", "merge", False),
        ("WITH x AS (SELECT 1) SELECT * FROM x", "with", True),
        ("WITH x AS (DELETE FROM a RETURNING *) SELECT * FROM x", "with", False),
        ("WITH x AS (SELECT 1) INSERT INTO a SELECT * FROM x", "with", False),
        ("WITH x AS (SELECT 1) UPDATE a SET b = 1", "with", False),
        ("WITH x AS (SELECT 'delete from a') SELECT * FROM x", "with", True),
        ("WITH x AS (SELECT * FROM a FOR UPDATE) SELECT * FROM x", "with", True),
        ("WITH x AS (SELECT * FROM a FOR NO KEY UPDATE) SELECT * FROM x", "with", True),
        ("CREATE TABLE a (b int)", "create", False),
        ("BEGIN", "begin", False),
        ("", "", False),
        ("; ;", "", False),
    ],
)
def test_the_verb_tells_reads_from_writes(text: str, verb: str, reads: bool) -> None:
    """The first word is the verb; a WITH reads unless some part of it writes."""
    found = fingerprint(text)
    assert (found.verb, found.reads) == (verb, reads)


def test_the_cache_stays_bounded() -> None:
    """Ever new texts, from several threads at once, do not fill the memory."""

    def flood(worker: int) -> None:
        for number in range(3_000):
            fingerprint(f"SELECT {number} FROM flood_{worker}")

    threads = [threading.Thread(target=flood, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(_cache) <= _CACHE_ITEMS


def test_digests_are_stable_across_processes() -> None:
    """Another process, with another seed of its hashes, tells the same digest."""
    code = "from pitstop.postgres import fingerprint; print(fingerprint('SELECT 1 FROM posts').digest)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == digest("select 2 from posts") == room_face("select $1 from posts").digest
