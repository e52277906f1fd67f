"""Workloads: from a file, from what the server counted, from what was recorded."""

from pathlib import Path

import pytest

from pitstop.advisor.indexes.workload import (
    WorkloadStatement,
    numbered,
    read_workload,
    workload_of_record,
    workload_of_server,
)
from pitstop.errors import SettingsError
from pitstop.postgres.statements import StatementStats
from pitstop.store import NPlusOneTotals, Observations, StatementTotals

SQL = """-- the first
-- weight: 100
SELECT * FROM users WHERE email = 'a;b' -- not the end;
;
/* a note; */ UPDATE users SET name = $$x;y$$ WHERE id = :id;
SET search_path = public;
-- weight: 2.5
SELECT a ? 'k', b FROM t WHERE c = %(c)s::int AND d = %(c)s AND e = $3
"""


def stats(text: str, calls: int, rows: int = 0) -> StatementStats:
    return StatementStats("f", text, calls, 1.0, 1.0, 1.0, rows)


def test_a_file_of_sql(tmp_path: Path) -> None:
    """One statement for each semicolon outside of strings and comments; SET and the like are left out."""
    file = tmp_path / "w.sql"
    file.write_text(SQL)
    assert read_workload(file) == [
        WorkloadStatement("SELECT * FROM users WHERE email = 'a;b'", 100.0),
        WorkloadStatement("UPDATE users SET name = $$x;y$$ WHERE id = $1", 1.0),
        WorkloadStatement("SELECT a ? 'k', b FROM t WHERE c = $4::int AND d = $4 AND e = $3", 2.5),
    ]


@pytest.mark.parametrize(
    "comment",
    [
        "-- weight: 1500",
        "--weight:1500",
        "-- Weight = 1,500",
        "/* weight: 1500 */",
        "--  WEIGHT 1.5e3 an hour",
    ],
)
def test_a_weight_however_it_is_spaced(tmp_path: Path, comment: str) -> None:
    """The comment may be written as people write it, before the statement or in it."""
    (tmp_path / "w.sql").write_text(f"SELECT 1;\n{comment}\nSELECT 2;\nSELECT 3\n{comment}\n;")
    assert [each.weight for each in read_workload(tmp_path / "w.sql")] == [1, 1500, 1500]


@pytest.mark.parametrize(
    "text",
    [
        '[{"sql": "SELECT 1;", "weight": 7}, "SELECT 2"]',
        '{"statements": [{"text": "SELECT 1", "calls": 7}, {"query": "SELECT 2"}]}',
    ],
)
def test_a_file_of_json(tmp_path: Path, text: str) -> None:
    """A list of statements or of objects, bare or below ``statements``."""
    file = tmp_path / "w.json"
    file.write_text(text)
    assert read_workload(file) == [WorkloadStatement("SELECT 1", 7.0), WorkloadStatement("SELECT 2", 1.0)]


@pytest.mark.parametrize(("name", "text"), [("w.sql", "-- nothing"), ("w.json", "{"), ("w.json", "[1]")])
def test_what_is_no_workload(tmp_path: Path, name: str, text: str) -> None:
    """An empty or broken file is named in the error."""
    (tmp_path / name).write_text(text)
    with pytest.raises(SettingsError, match=name):
        read_workload(tmp_path / name)


def test_a_missing_file(tmp_path: Path) -> None:
    """A file that is not there is named in the error."""
    with pytest.raises(SettingsError, match=r"nowhere\.sql"):
        read_workload(tmp_path / "nowhere.sql")


def test_what_the_server_counted() -> None:
    """Limits become what was brought, intervals are mended, questions about the catalog are left out."""
    rows = [
        stats("SELECT * FROM t WHERE a = $1 ORDER BY b LIMIT $2 OFFSET $3", 10, 200),
        stats("SELECT * FROM t WHERE at > now() - interval $1", 30),
        stats("SELECT relname FROM pg_class", 99),
        stats("BEGIN", 500),
    ]
    assert workload_of_server(rows) == [
        WorkloadStatement("SELECT * FROM t WHERE at > now() - $1::interval", 30),
        WorkloadStatement("SELECT * FROM t WHERE a = $1 ORDER BY b LIMIT 20 OFFSET 0", 10, 20.0),
    ]


def test_what_an_n_plus_one_repeats_counts_once_a_request() -> None:
    """Its cure is a loader: beside hundreds of its executions no other statement would count."""
    loop, page = ("app.py", 7, "posts"), ("app.py", 3, "posts")
    route = ("request", "GET /posts")
    statements = {
        each: StatementTotals(*route, each, line, each, calls=calls, rows=calls)
        for each, line, calls in (
            ("SELECT * FROM posts LIMIT $1", page, 10),
            ("SELECT * FROM users WHERE id = $1", loop, 1_000),
            ("SELECT * FROM tags WHERE id = $1", loop, 5),
        )
    }
    found = NPlusOneTotals(
        *route, "lazy-load", "Post", "author", page, loop, "joinedload(Post.author)", requests=10, extra=990
    )
    observations = Observations(
        statements={(*route, name, each.location): each for name, each in statements.items()},
        n_plus_one={(*route, "lazy-load"): found},  # type: ignore[dict-item]
    )
    weights = {each.text: each.weight for each in workload_of_record(observations)}
    assert sorted(weights.values()) == [1, 10, 10]


def test_placeholders() -> None:
    """Those of every driver are numbered, equal names alike; casts and doubled percent signs stay right."""
    assert numbered("a = %s AND b = %s AND c LIKE '%%x'") == "a = $1 AND b = $2 AND c LIKE '%x'"
    assert numbered("a = :x::int AND b = :x AND c = :y") == "a = $1::int AND b = $1 AND c = $2"
    assert numbered("a LIKE '%x' AND b = $1") == "a LIKE '%x' AND b = $1"
