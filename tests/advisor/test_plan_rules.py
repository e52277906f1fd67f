"""What rules make of the plans of observed statements, on a real database: what fires and what must not."""

from dataclasses import replace

import psycopg
import pytest

from pitstop.advisor.evidence import Evidence, diagnose, explain_slowest
from pitstop.advisor.finding import Finding
from pitstop.advisor.indexes.advice import Advice, AdvisedIndex, AdvisedStatement
from pitstop.advisor.indexes.observed import ObservedAdvice
from pitstop.advisor.plans import plan_observed
from pitstop.advisor.thresholds import Thresholds
from pitstop.postgres.address import libpq_url
from pitstop.postgres.catalog import Catalog, Table
from pitstop.postgres.fingerprint import fingerprint
from pitstop.postgres.statements import StatementStats
from pitstop.store import Observations, StatementTotals

LINE = ("/shop/api.py", 12, "orders")
SETUP = """
CREATE TABLE orders (id int PRIMARY KEY, email text NOT NULL, body text NOT NULL, at timestamptz NOT NULL);
INSERT INTO orders
SELECT n, 'user' || n, 'a few words about ' || n, timestamptz '2026-01-01' + n * interval '1 minute'
  FROM generate_series(1, 20000) AS n;
CREATE INDEX ON orders (email);
CREATE INDEX ON orders (at);
ANALYZE orders;
"""
BY_DAY = "SELECT orders.id FROM orders WHERE date(orders.at) = %(date_1)s"
BY_LOWER = "SELECT orders.id FROM orders WHERE lower(orders.email) = %(lower_1)s"
BY_EMAIL = "SELECT orders.id FROM orders WHERE orders.email = %(email_1)s"
BY_BODY = "SELECT orders.id FROM orders WHERE orders.body = %(body_1)s"
BY_WORD = (
    "SELECT orders.id FROM orders WHERE to_tsvector(%(to_tsvector_1)s::REGCONFIG, orders.body)"
    " @@ plainto_tsquery(%(plainto_tsquery_1)s::REGCONFIG, %(plainto_tsquery_2)s)"
)
COUNT = "SELECT count(*) AS count_1 FROM orders"


@pytest.fixture
def shop(sync_database_url: str) -> str:
    """The address of a database with 20,000 orders."""
    with psycopg.connect(libpq_url(sync_database_url), autocommit=True) as connection:
        connection.execute(SETUP.encode())
    return sync_database_url


def seen(*texts: str, kind: str = "request", scope: str = "GET /orders") -> Observations:
    found = Observations()
    for number, text in enumerate(texts):
        digest = fingerprint(text).digest
        found.statements[kind, scope, digest, LINE] = StatementTotals(
            *(kind, scope, digest, LINE, text, 10, 500.0 - number, 60.0, 10)
        )
    return found


def judge(url: str, observations: Observations, *, advice: ObservedAdvice | None = None) -> list[Finding]:
    evidence = Evidence(observations, Catalog((), (), ()), Thresholds(), indexes=advice)
    rules = ("poor-plan", "counted-table", "slow-statement")
    return [each for each in diagnose(explain_slowest(evidence, url)) if each.rule in rules]


def advised(text: str, ddl: str) -> ObservedAdvice:
    """Advice of an index that cures a statement, or of none."""
    ddls = (ddl,) if ddl else ()
    indexes = tuple(AdvisedIndex(each, "", 8_192, 1.0, (0,)) for each in ddls)
    statement = AdvisedStatement(text, 10, 400.0, 8.0 if ddl else 400.0, ddls)
    totals = next(iter(seen(text).statements.values()))
    return ObservedAdvice(Advice(indexes, (statement,), 400.0, 8.0, 1), record={text: [totals]})


def test_a_function_on_a_column_is_told(shop: str) -> None:
    """With table, statement, route, line, cost, and a range instead of a day as its cure."""
    (found,) = judge(shop, seen(BY_DAY))
    assert (found.rule, found.severity, found.location) == ("poor-plan", "warning", LINE)
    assert found.what == "on orders the condition compares date(at), which no index on at serves"
    assert found.how_often == "10 executions of one statement, in GET /orders"
    assert found.cost.startswith("50.0 ms a time, 500.0 ms so far; ")
    assert found.cure == "compare at itself with a range: at >= ... AND at < ..."
    assert (found.details["plan_rule"], found.details["table"]) == ("wrapped-column", "orders")
    (statement,) = found.details["statements"]
    assert (statement["calls"], statement["scope"]) == (10, "GET /orders")
    assert statement["text"].startswith("SELECT orders.id FROM orders WHERE date(orders.at)")


BY_ROW = (
    "SELECT id, (SELECT count(*) FROM orders AS others WHERE others.email = orders.email) AS n FROM orders"
)
NEWEST = "SELECT orders.id, orders.body FROM orders ORDER BY orders.body LIMIT %(param_1)s"


def test_a_subquery_for_each_row_is_told(shop: str) -> None:
    """A subquery that is to run once for each row is a finding, unless an index halves the whole."""
    (found,) = [each for each in judge(shop, seen(BY_ROW)) if each.rule == "poor-plan"]
    assert found.details["plan_rule"] == "correlated-subplan"
    assert "once for each row" in found.what
    assert judge(shop, seen(BY_ROW), advice=advised(BY_ROW, "CREATE INDEX ON orders (email)")) == []


def test_a_sort_for_a_few_rows_is_told(shop: str) -> None:
    """A sort of the whole table for one page is a finding, until the index advisor has looked at it."""
    (found,) = [each for each in judge(shop, seen(NEWEST)) if each.rule == "poor-plan"]
    assert (found.details["plan_rule"], found.cure) == (
        "sort-before-limit",
        "CREATE INDEX CONCURRENTLY ON orders (body)",
    )
    assert judge(shop, seen(NEWEST), advice=advised(NEWEST, "")) == []


def test_all_plans_come_over_one_connection(shop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many statements were observed, the server sees one more session."""
    opened: list[str] = []
    connect = psycopg.connect
    monkeypatch.setattr(
        psycopg, "connect", lambda *args, **options: opened.append("one") or connect(*args, **options)
    )
    planned = plan_observed(shop, seen(BY_DAY, "SELECT * FROM gone", BY_EMAIL, COUNT))
    assert [each.text for each in planned] == [
        text.replace("%(date_1)s", "$1").replace("%(email_1)s", "$1") for text in (BY_DAY, BY_EMAIL, COUNT)
    ]
    assert opened == ["one"]


def test_the_same_cure_is_one_finding(shop: str) -> None:
    """Two statements that one index on the expression would serve are told once, with both."""
    (found,) = judge(shop, seen(BY_LOWER, BY_LOWER.replace("orders.id", "orders.at")))
    assert found.cure == "CREATE INDEX CONCURRENTLY ON orders (lower(email))"
    assert found.how_often.startswith("20 executions of 2 statements")
    assert len(found.details["statements"]) == 2


def test_an_indexed_expression_is_fine(shop: str) -> None:
    """An index on the expression, and a condition on a bare column with one, are no findings."""
    with psycopg.connect(libpq_url(shop), autocommit=True) as connection:
        connection.execute("CREATE INDEX ON orders (lower(email))")
        connection.execute("ANALYZE orders")
    assert judge(shop, seen(BY_LOWER, BY_EMAIL)) == []


def test_a_configuration_that_is_a_parameter(shop: str) -> None:
    """Where a parameter inside of the expression keeps every index out, the cure is to write a literal."""
    (found,) = judge(shop, seen(BY_WORD))
    assert found.cure.startswith("write the parameters inside of the expression as literals")
    assert "CREATE INDEX" not in found.cure


def test_an_index_is_told_once(shop: str) -> None:
    """A scan for few rows is told without the index advisor; with it only by the advisor."""
    assert [each.details["plan_rule"] for each in judge(shop, seen(BY_BODY))] == ["filtered-scan"]
    assert judge(shop, seen(BY_BODY), advice=advised(BY_BODY, "")) == []
    lower = "CREATE INDEX CONCURRENTLY ON public.orders (lower(email))"
    assert judge(shop, seen(BY_LOWER), advice=advised(BY_LOWER, lower)) == []


def test_a_slow_statement_is_told_once(shop: str) -> None:
    """A slow statement whose plan is poor is told with its plan alone; another one as it is."""
    observations = seen(BY_DAY, BY_EMAIL)
    for each in observations.statements.values():
        each.total_ms = 5_000.0
    found = {each.rule: each.details for each in judge(shop, observations)}
    assert found.keys() == {"poor-plan", "slow-statement"}
    assert found["slow-statement"]["text"] == BY_EMAIL


def test_settings_that_forbid_are_told_once(shop: str) -> None:
    """A database whose setting switches a join off is told once, however many statements suffer."""
    with psycopg.connect(libpq_url(shop), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {connection.info.dbname} SET enable_hashjoin = off")
    observations = seen(COUNT, "SELECT max(orders.body) FROM orders")
    (found,) = [each for each in judge(shop, observations) if each.rule == "poor-plan"]
    assert (found.subject, found.details["table"]) == ("enable_hashjoin", None)


def test_a_table_counted_by_each_request(shop: str) -> None:
    """A count of 20,000 rows in a route is told with the rows, the line and the cure."""
    (found,) = judge(shop, seen(COUNT))
    assert (found.rule, found.subject, found.location) == ("counted-table", "GET /orders", LINE)
    assert found.what == "GET /orders counts about 20,000 rows of orders each time"
    assert (found.details["table"], found.details["rows"]) == ("orders", 20_000.0)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (COUNT, "process"),
        (f"{COUNT} WHERE orders.email = %(email_1)s", "request"),
        (f"{COUNT} WHERE orders.id < 100", "request"),
        ("SELECT orders.at, count(*) AS count_1 FROM orders GROUP BY orders.at", "request"),
        ("SELECT max(orders.id) AS max_1 FROM orders", "request"),
    ],
)
def test_other_counts_are_fine(shop: str, text: str, kind: str) -> None:
    """Of a script, of few rows, by groups, or another aggregate: no finding."""
    assert judge(shop, seen(text, kind=kind)) == []


def test_a_count_by_several_processes(shop: str) -> None:
    """Rows that parallel workers share are counted whole, within what the planner rounds."""
    with psycopg.connect(libpq_url(shop), autocommit=True) as connection:
        for name, value in (
            ("min_parallel_table_scan_size", "0"),
            ("min_parallel_index_scan_size", "0"),
            ("parallel_setup_cost", "0"),
            ("parallel_tuple_cost", "0"),
        ):
            connection.execute(f"ALTER DATABASE {connection.info.dbname} SET {name} = {value}")
    (planned,) = plan_observed(shop, seen(COUNT))
    assert "Gather" in {node.node_type for node in planned.plan.nodes()}
    (found,) = judge(shop, seen(COUNT))
    assert found.details["rows"] == pytest.approx(20_000, rel=0.01)


def test_only_what_can_be_planned_is(shop: str) -> None:
    """Writes are not asked for; a statement cut off, or of a table that is gone, is left out."""
    texts = (
        "DELETE FROM orders WHERE orders.id = %(id_1)s",
        "SELECT orders.id FROM orders WHERE orders.at > %(at_",
        "SELECT gone.id FROM gone",
        COUNT,
    )
    assert [each.text for each in plan_observed(shop, seen(*texts))] == [COUNT]
    with psycopg.connect(libpq_url(shop)) as connection:
        assert connection.execute("SELECT count(*) FROM orders").fetchone() == (20_000,)


def test_what_only_the_server_counted(shop: str) -> None:
    """Without a record the statements of pg_stat_statements are planned, and told without a line."""
    text = "SELECT id FROM orders WHERE lower(email) = $1"
    row = StatementStats(fingerprint(text).digest, text, 7, 70.0, 10.0, 12.0, 7)
    evidence = Evidence(Observations(), Catalog((), (), (row,)), Thresholds())
    (found,) = diagnose(explain_slowest(evidence, shop))
    assert (found.rule, found.location) == ("poor-plan", None)
    assert found.how_often == "7 executions of one statement (pg_stat_statements)"


def test_a_scan_that_is_told_elsewhere(shop: str) -> None:
    """A table that is read whole for nothing but what these rules tell has no finding of its own."""
    table = Table("orders", 20_000, 40, 800_000, 3, "public.orders")
    evidence = Evidence(seen(BY_DAY, COUNT, BY_BODY), Catalog((), (table,), ()), Thresholds())
    evidence = explain_slowest(evidence, shop)
    texts = [each.text for each in evidence.plans]
    told = {}
    for texts_of_scans in (texts[:2], texts):
        statements = tuple(AdvisedStatement(text, 10, 400.0, 400.0) for text in texts_of_scans)
        advice = ObservedAdvice(
            Advice((), statements, 400.0, 400.0, 1), scans={"public.orders": texts_of_scans}
        )
        found = diagnose(replace(evidence, indexes=advice))
        told[len(texts_of_scans)] = [each.cure[-30:] for each in found if each.rule == "sequential-scan"]
    assert told == {2: [], 3: [texts[2][-30:]]}
