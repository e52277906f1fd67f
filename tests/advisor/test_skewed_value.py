"""Parameters whose most common value is nothing like the others: what is told, and what is not."""

import psycopg
import pytest

from pitstop.advisor.evidence import Evidence, diagnose, explain_slowest
from pitstop.advisor.finding import Finding
from pitstop.advisor.thresholds import Thresholds
from pitstop.postgres.address import libpq_url
from pitstop.postgres.catalog import Catalog
from pitstop.postgres.fingerprint import fingerprint
from pitstop.store import Observations, StatementTotals

LINE = ("/shop/api.py", 12, "tickets")
SETUP = """
CREATE TABLE tickets (id int PRIMARY KEY, owner text NOT NULL, even int NOT NULL, body text NOT NULL);
INSERT INTO tickets
SELECT n, CASE WHEN n % 5 = 0 THEN 'owner' || n ELSE E'no\\\\body''s' END, n % 4000, repeat('x', 200)
  FROM generate_series(1, 40000) AS n;
CREATE INDEX ON tickets (owner);
CREATE INDEX ON tickets (even);
ANALYZE tickets;
"""
BY_OWNER = "SELECT * FROM tickets WHERE owner = %(owner_1)s"


@pytest.fixture
def desk(sync_database_url: str) -> str:
    """The address of a database in which nobody has 32,000 of 40,000 tickets, and each owner one."""
    with psycopg.connect(libpq_url(sync_database_url), autocommit=True) as connection:
        connection.execute(SETUP.encode())
    return sync_database_url


def judge(url: str, text: str, *, rows: int = 10) -> list[Finding]:
    observations = Observations()
    digest = fingerprint(text).digest
    observations.statements["request", "GET /tickets", digest, LINE] = StatementTotals(
        *("request", "GET /tickets", digest, LINE, text, 10, 500.0, 60.0, rows)
    )
    evidence = Evidence(observations, Catalog((), (), ()), Thresholds())
    return [each for each in diagnose(explain_slowest(evidence, url)) if each.rule == "skewed-value"]


def test_a_common_value_among_rare_ones(desk: str) -> None:
    """A plan for any value expects few rows where one value has most; its name is not told."""
    (found,) = judge(desk, BY_OWNER)
    assert (found.severity, found.subject, found.location) == ("info", "tickets.owner", LINE)
    assert found.details["share"] == pytest.approx(0.8, abs=0.03)
    assert found.details["rows"] == pytest.approx(32_000, rel=0.05)
    assert found.details["plan_cost"] > 10 * found.details["usual_plan_cost"]
    assert "body" not in str(found)


def test_a_common_value_that_is_asked_for(desk: str) -> None:
    """Where the executions brought many more rows than that plan expects, it is a warning."""
    (found,) = judge(desk, BY_OWNER, rows=320_000)
    assert found.severity == "warning"


def test_beside_other_parameters(desk: str) -> None:
    """The other parameters of the statement stay open."""
    text = "SELECT * FROM tickets WHERE owner = %(b)s AND body <> %(c)s AND even <> %(a)s"
    assert [each.subject for each in judge(desk, text)] == ["tickets.owner"]


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM tickets WHERE even = %(even_1)s",
        "SELECT * FROM tickets WHERE owner = %(owner_1)s LIMIT 10",
        "SELECT * FROM tickets WHERE owner = %(owner_1)s AND id = %(id_1)s",
        "SELECT * FROM tickets WHERE owner = 'owner5'",
        "SELECT * FROM tickets WHERE owner <> %(owner_1)s",
        "SELECT relname FROM pg_class WHERE relkind = %(kind)s",
    ],
)
def test_what_one_plan_fits(desk: str, text: str) -> None:
    """Even values, pages, keys, literals and the catalog are fine."""
    assert judge(desk, text) == []


def test_a_name_that_two_schemas_have(desk: str) -> None:
    """A plan does not say which schema a table is in: then nothing is told."""
    with psycopg.connect(libpq_url(desk), autocommit=True) as connection:
        connection.execute("CREATE SCHEMA old CREATE TABLE tickets (owner text)")
    assert judge(desk, BY_OWNER) == []
