"""What rules make of index advice: which findings there are, how they are told, and which go without."""

from dataclasses import replace

import pytest

from pitstop.advisor.evidence import Evidence, diagnose
from pitstop.advisor.finding import Finding
from pitstop.advisor.indexes.advice import Advice, AdvisedIndex, AdvisedStatement
from pitstop.advisor.indexes.leading import leads_with
from pitstop.advisor.indexes.observed import ObservedAdvice, advise_observed
from pitstop.advisor.thresholds import Thresholds
from pitstop.postgres.catalog import Catalog, ForeignKey, Table
from pitstop.store import Observations, StatementTotals

LINE = ("/shop/api.py", 12, "orders")
MINE = "SELECT * FROM orders WHERE user_id = $1"
COUNT = "SELECT count(*) FROM orders"
ORDERS = Table("orders", 50_000, 40, 2_000_000, 3, "public.orders")
KEY = ForeignKey("orders_user", "orders", "users", ("user_id",), 50_000, 40)


def index(column: str, *statements: int) -> AdvisedIndex:
    ddl = f"CREATE INDEX CONCURRENTLY ON public.orders ({column})"
    return AdvisedIndex(ddl, "", 1_500_000, 2.5, statements)


def judge(
    *indexes: AdvisedIndex,
    before: float = 2_000.0,
    scans: tuple[str, ...] = (),
    slow: bool = False,
    key: ForeignKey = KEY,
) -> list[Finding]:
    """The findings on a shop where ``MINE`` took two seconds, and ``COUNT`` half of one."""
    ddls = tuple(each.ddl for each in indexes)
    told = (AdvisedStatement(MINE, 100, before, before / 100, ddls), AdvisedStatement(COUNT, 5, 900.0, 900.0))
    mine = StatementTotals("request", "GET /orders", "f", LINE, MINE, 100, 2_000.0, 40.0, 1_000)
    count = StatementTotals("request", "GET /count", "g", LINE, COUNT, 5, 500.0, 140.0, 5)
    asked = ObservedAdvice(
        Advice(indexes, told, 2_000.0, 20.0, 9),
        scans={"public.orders": scans} if scans else {},
        record={MINE: [mine], COUNT: [count]},
    )
    catalog = Catalog((key,), (ORDERS,), ())
    observations = Observations()
    if slow:
        for each in (mine, count):
            observations.statements[each.scope_kind, each.scope, each.fingerprint, LINE] = each
    limits = Thresholds(slow_statement_ms=15.0)
    return diagnose(Evidence(observations, catalog, limits, indexes=asked))


def severities(key: ForeignKey, *indexes: AdvisedIndex, before: float = 2_000.0) -> dict[str, str]:
    """Of the findings on a shop whose orders have a foreign key."""
    return {each.rule: each.severity for each in judge(*indexes, before=before, key=key)}


def test_a_missing_index_is_told_whole() -> None:
    """Its statements with their costs, how often they ran and where, what is saved, its price and the DDL."""
    (finding,) = judge(index("user_id, at DESC", 0), scans=(MINE,))
    assert (finding.rule, finding.severity, finding.location) == ("missing-index", "warning", LINE)
    assert finding.what == "public.orders lacks the index (user_id, at DESC)"
    assert finding.how_often == "100 executions of one statement, in GET /orders"
    assert finding.cost_ms == pytest.approx(1_980.0)
    assert finding.cost.endswith("; a delete in users reads the table, too")
    assert finding.cure == "CREATE INDEX CONCURRENTLY ON public.orders (user_id, at DESC)"
    (told,) = finding.details["indexes"]
    assert (told["size_bytes"], told["write_cost"]) == (1_500_000, 2.5)
    assert told["gains"] == [
        {"text": MINE, "cost_before": 2_000.0, "cost_after": 20.0, "calls": 100, "scope": "GET /orders"}
    ]


def test_what_no_index_cures_is_still_told() -> None:
    """A statement that goes on to scan is named with the scans of its table; the one that is cured is not."""
    found = {each.rule: each for each in judge(index("user_id", 0), scans=(MINE, COUNT))}
    assert set(found) == {"missing-index", "sequential-scan"}
    scan = found["sequential-scan"]
    assert (scan.severity, scan.location, scan.details["statements"]) == ("warning", LINE, [COUNT])
    assert scan.cure.endswith(COUNT)


def test_a_slow_statement_names_its_index() -> None:
    """Its cure is the missing index where that halves its cost; of another one it is to look at the plan."""
    found = judge(index("user_id", 0), scans=(MINE, COUNT), slow=True)
    cures = {each.subject: each.cure for each in found if each.rule == "slow-statement"}
    assert set(cures) == {MINE, COUNT}
    assert cures[MINE].endswith("CREATE INDEX CONCURRENTLY ON public.orders (user_id)")
    assert "EXPLAIN" in cures[COUNT]


def test_scans_of_the_past_are_an_info() -> None:
    """Where no observed statement would scan the table now, its old scans fail no pipeline."""
    found = {each.rule: each.severity for each in judge()}
    assert found == {"sequential-scan": "info", "unindexed-foreign-key": "info"}


def test_little_gain_is_an_info() -> None:
    """An index for statements that cost next to nothing is told, and is no warning."""
    found = {each.rule: each.severity for each in judge(index("status", 0), before=90.0, scans=(MINE,))}
    assert found == {"missing-index": "info", "unindexed-foreign-key": "info"}


def test_a_foreign_key_whose_parents_are_deleted() -> None:
    """Deletes of its parent are no statement that gains, and yet make the missing index a warning."""
    used = replace(KEY, parent_deletes=3)
    assert severities(used) == {"sequential-scan": "info", "unindexed-foreign-key": "warning"}
    assert severities(used, index("user_id", 0), before=90.0) == {
        "sequential-scan": "info",
        "missing-index": "warning",
    }


@pytest.mark.parametrize(("advised", "alone"), [(6, 6), (7, 5)])
def test_many_are_listed(advised: int, alone: int) -> None:
    """Up to six stand alone; of more the five most useful, and one finding has the DDL of the others."""
    told = judge(*(index(f"c{number}", 0) for number in range(advised)), scans=(MINE,))
    found = [each for each in told if each.rule == "missing-index"]
    lists = [each for each in found if len(each.details["indexes"]) > 1]
    assert len(found) - len(lists) == alone
    assert sum(len(each.details["indexes"]) for each in found) == advised
    assert [each.subject for each in lists] == [f"{advised - 5} more indexes"] * len(lists)


def test_without_advice_the_scans_are_told_as_ever() -> None:
    """Where the advisor could not run, the scans are a warning that points to the commands."""
    asked = ObservedAdvice(problem="no pg_dump")
    catalog = Catalog((), (ORDERS,), ())
    (finding,) = diagnose(Evidence(Observations(), catalog, Thresholds(), indexes=asked))
    assert (finding.rule, finding.severity) == ("sequential-scan", "warning")
    assert "pitstop indexes says which" in finding.cure


def test_what_hinders_the_advisor_is_told() -> None:
    """A database that does not answer is a problem in the answer, in one line, and no error."""
    record = Observations()
    record.statements["request", "GET /", "f", LINE] = StatementTotals(
        "request", "GET /", "f", LINE, MINE, calls=3, rows=3
    )
    asked = advise_observed("postgresql://127.0.0.1:1/shop", record)
    assert asked.advice is None
    assert asked.problem
    assert "\n" not in asked.problem


@pytest.mark.parametrize(
    ("ddl", "serves"),
    [
        ("CREATE INDEX CONCURRENTLY ON public.orders (user_id)", True),
        ("CREATE INDEX CONCURRENTLY ON public.orders (user_id, at)", True),
        ("CREATE INDEX CONCURRENTLY ON public.orders (user_id DESC)", True),
        ("CREATE INDEX CONCURRENTLY ON public.orders (user_id) WHERE open", False),
        ("CREATE INDEX CONCURRENTLY ON public.orders (user_idx)", False),
        ("CREATE INDEX CONCURRENTLY ON public.orders (at, user_id)", False),
        ("CREATE INDEX CONCURRENTLY ON public.my_orders (user_id)", False),
    ],
)
def test_which_index_serves_a_key(ddl: str, serves: bool) -> None:
    """A whole index that begins with the columns of the key."""
    assert leads_with(ddl, KEY.ddl) is serves
