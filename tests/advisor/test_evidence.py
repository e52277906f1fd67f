"""Evidence: gathered from the record and the database, and findings as programs read them."""

import json
from pathlib import Path

import pytest

from pitstop.advisor.evidence import Evidence, diagnose, gather, load_cures
from pitstop.advisor.finding import Finding, worst_first
from pitstop.advisor.fix import cures_from_findings
from pitstop.advisor.thresholds import Thresholds
from pitstop.errors import ServerNotFound, StoreError
from pitstop.postgres.catalog import Catalog
from pitstop.store import NPlusOneTotals, Observations, ScopeTotals, Store

QUERY = ("/shop/api.py", 10, "posts")
LINE = ("/shop/api.py", 12, "posts")
IMPORT = "from sqlalchemy.orm import selectinload"


def n_plus_one(kind: str = "lazy-load", relationship: str = "comments") -> NPlusOneTotals:
    return NPlusOneTotals(
        *("request", "GET /posts", kind, "Post", relationship, QUERY, LINE),
        *(f"selectinload(Post.{relationship})", (IMPORT,), True, 1, 30, 30, 12.5, 7.0),
    )


def seen(*found: NPlusOneTotals) -> Observations:
    key = ("request", "GET /posts")
    keyed = {(*key, each.kind, each.parent, each.relationship, QUERY, LINE): each for each in found}
    return Observations({key: ScopeTotals(*key, count=1)}, {}, keyed)


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """A record with one N+1 and one repeated statement."""
    store = Store(tmp_path / "record")
    store.merge(seen(n_plus_one(), n_plus_one("repeated-statement", "")))
    store.close()
    return tmp_path / "record"


def finding(severity: str, cost_ms: float, subject: str) -> Finding:
    return Finding("rule", severity, subject, "what", "often", "cost", cost_ms, "cure")  # type: ignore[arg-type]


def test_the_record_alone_is_evidence(record: Path) -> None:
    """Without a database there is no catalog, and the default limits hold."""
    evidence = gather(record)
    assert (evidence.catalog, evidence.thresholds) == (None, Thresholds())
    assert len(evidence.observations.n_plus_one) == 2


def test_the_database_alone_is_evidence(tmp_path: Path, sync_database_url: str) -> None:
    """With an address, nothing need have been observed."""
    evidence = gather(tmp_path / "none", database_url=sync_database_url)
    assert len(evidence.observations) == 0
    assert isinstance(evidence.catalog, Catalog)


def test_neither_is_an_error(tmp_path: Path) -> None:
    """With no record and no address the message says how to make one."""
    with pytest.raises(StoreError, match=r"nothing observed yet .* run `pitstop run"):
        gather(tmp_path / "none")


def test_a_database_that_is_down_is_an_error(record: Path) -> None:
    """An address that was given is not passed over in silence."""
    with pytest.raises(ServerNotFound):
        gather(record, database_url="postgresql://127.0.0.1:1/shop")


def test_nothing_seen_nothing_found() -> None:
    """Empty evidence has no findings."""
    assert diagnose(Evidence(Observations(), None, Thresholds())) == []


def test_the_order_is_severity_cost_subject() -> None:
    """Findings of one severity and cost stay in the order of their subjects, whatever came first."""
    found = [
        *(finding("info", 900.0, "a"), finding("warning", 5.0, "c"), finding("warning", 5.0, "b")),
        *(finding("critical", 1.0, "d"), finding("warning", 50.0, "e")),
    ]
    assert [each.subject for each in worst_first(found)] == ["d", "e", "b", "c", "a"]
    assert worst_first(found[::-1]) == worst_first(found)


def test_a_finding_is_one_flat_document(record: Path) -> None:
    """Details stand beside the other fields, and JSON holds all of it."""
    document = json.loads(json.dumps([each.as_json() for each in diagnose(gather(record))]))
    (lazy,) = [each for each in document if each["kind"] == "lazy-load"]
    assert {key: lazy[key] for key in ("rule", "parent", "relationship", "count", "imports")} == {
        "rule": "n-plus-one",
        "parent": "Post",
        "relationship": "comments",
        "count": 30,
        "imports": [IMPORT],
    }
    assert (lazy["location"], lazy["query_location"]) == ([*LINE], [*QUERY])
    assert "details" not in lazy


def test_no_detail_hides_a_field() -> None:
    """A detail named like a field does not take its place."""
    odd = Finding("rule", "info", "a", "what", "often", "cost", 1.0, "cure", details={"cure": "other"})
    assert odd.as_json()["cure"] == "cure"


def test_cures_are_the_same_by_file_and_by_record(record: Path) -> None:
    """`pitstop fix` reads the same from the record as from `doctor --json`, and leaves sentences out."""
    document = json.loads(json.dumps([each.as_json() for each in diagnose(gather(record))]))
    (cure,) = cures_from_findings(document)
    assert load_cures(record) == [cure]
    assert (cure.file, cure.line, cure.function) == QUERY
    assert (cure.expression, cure.imports, cure.count) == ("selectinload(Post.comments)", (IMPORT,), 30)
    assert (cure.subject, cure.seen) == ("Post.comments", 7.0)


def test_cures_need_a_record(tmp_path: Path) -> None:
    """With nothing observed there is nothing to fix, and the message says what to do."""
    with pytest.raises(StoreError, match="pitstop run"):
        load_cures(tmp_path)
