"""The forecast: what turns bad when tables grow is named, with what to do now."""

import psycopg
import pytest

from pitstop.advisor.forecast import Forecast, forecast
from pitstop.advisor.indexes import WorkloadStatement
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
