"""The forecast: what turns bad when tables grow is named, with what to do now."""

import psycopg
import pytest

from pitstop.advisor.forecast import Forecast, forecast
from pitstop.advisor.indexes import WorkloadStatement
from pitstop.errors import SettingsError
from pitstop.servers import Servers

SCAN = "SELECT * FROM orders WHERE user_id = 7"
LOOKUP = "SELECT * FROM orders WHERE id = 7"
LIST = "SELECT * FROM kinds WHERE name = 'x'"
SUMS = "SELECT status, sum(total) FROM orders GROUP BY status"


@pytest.fixture
def foretold(
    database_url: str, shop: "psycopg.Connection[tuple[object, ...]]", pitstop_servers: Servers
) -> Forecast:
    """A workload on tables a hundred times larger."""
    shop.execute(
        "CREATE TABLE kinds (id int, name text);"
        "INSERT INTO kinds SELECT i, 'k' || i FROM generate_series(1, 50) AS i"
    )
    shop.execute("ANALYZE kinds")
    servers = pitstop_servers if "postgresql" in pitstop_servers.private else None
    statements = [WorkloadStatement(each) for each in (SCAN, LOOKUP, LIST, SUMS, "SELECT nothing")]
    return forecast(database_url, statements, scale=100, servers=servers)


def test_forecast(foretold: Forecast) -> None:
    """A scan turns bad and gets its index, sums get a rollup; look-ups and small lists stay good."""
    scan, lookup, kinds, sums, broken = foretold.statements
    assert [each.turns_bad for each in foretold.statements] == [True, False, False, True, False]
    assert scan.cost_then > 40 * scan.cost_now
    assert any("orders (user_id)" in each for each in scan.cure)
    assert lookup.cost_then < 2 * lookup.cost_now
    assert kinds.cost_then == kinds.cost_now
    assert "rollup" in " ".join(sums.cure)
    assert 'column "nothing" does not exist' in broken.problem
    assert [each.ddl for each in foretold.indexes if "orders (user_id)" in each.ddl] != []


def test_nothing_grows(
    database_url: str, shop: "psycopg.Connection[tuple[object, ...]]", pitstop_servers: Servers
) -> None:
    """Tables that stay as they are turn nothing bad, however dear it is today."""
    shop.execute(
        "CREATE TABLE large AS SELECT i AS id, md5(i::text) AS note FROM generate_series(1, 100000) i"
    )
    shop.execute("ANALYZE large")
    servers = pitstop_servers if "postgresql" in pitstop_servers.private else None
    dear = WorkloadStatement("SELECT * FROM large WHERE note = 'x'")
    (same,) = forecast(database_url, [dear], scale=1, servers=servers).statements
    assert same.cost_then == same.cost_now > 1_000
    assert not same.turns_bad
    (grown,) = forecast(database_url, [dear], scale=2, servers=servers).statements
    assert grown.turns_bad
    assert "its cost grows 2.0 times" in grown.why


def test_an_index_on_an_expression_is_cure_enough(
    database_url: str, shop: "psycopg.Connection[tuple[object, ...]]", pitstop_servers: Servers
) -> None:
    """What tells of the expression is measured on rows of the table as it is, however large it will be."""
    shop.execute(
        "CREATE TABLE people AS SELECT i AS id, 'P' || i || '@example.org' AS email"
        " FROM generate_series(1, 20000) i"
    )
    shop.execute("ANALYZE people")
    servers = pitstop_servers if "postgresql" in pitstop_servers.private else None
    asked = WorkloadStatement("SELECT * FROM people WHERE lower(email) = 'p7@example.org'")
    (statement,) = forecast(database_url, [asked], scale=100, servers=servers).statements
    assert statement.turns_bad
    assert statement.cure == ("CREATE INDEX CONCURRENTLY ON public.people (lower(email))",)


@pytest.mark.parametrize("scale", [0.5, float("nan"), float("inf"), 1e12])
def test_scales_that_are_none(scale: float) -> None:
    """Tables that shrink, or that no server has, are refused before anything is asked."""
    with pytest.raises(SettingsError, match="it must be 1 to 1,000,000"):
        forecast("postgresql://nobody@127.0.0.1:1/none", [], scale=scale)
