"""Deep pages: what OFFSET skips is observed with every driver, kept, and told where it is much."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine

from pitstop import Pitstop
from pitstop.advisor.evidence import Evidence, diagnose
from pitstop.advisor.finding import Finding
from pitstop.advisor.thresholds import Thresholds
from pitstop.scope import open_scope
from pitstop.store import Observations, StatementTotals, read_store

PAGE = text("SELECT n FROM generate_series(1, 9000) AS n ORDER BY n LIMIT :most OFFSET :from_")
LINE = ("/shop/api.py", 12, "orders")


@pytest.fixture
def engine(sync_database_url: str) -> Iterator[Engine]:
    engine = create_engine(sync_database_url)
    yield engine
    engine.dispose()


def skipped(store: Path) -> int:
    (found,) = read_store(store).statements.values()
    return found.skipped


@pytest.mark.parametrize("pages", [1, 5])
def test_what_psycopg_skips(engine: Engine, tmp_path: Path, pages: int) -> None:
    """In a request of one statement and in one of many, the offsets add up in the record."""
    with Pitstop(engine=engine, store=tmp_path), open_scope("export"), engine.connect() as connection:
        for page in range(pages):
            connection.execute(PAGE, {"most": 20, "from_": 1_000 * (page + 1)})
    assert skipped(tmp_path) == sum(1_000 * (page + 1) for page in range(pages))


async def test_what_asyncpg_skips(database_url: str, tmp_path: Path) -> None:
    """Its parameters are numbered, which makes no difference."""
    engine = create_async_engine(database_url)
    with Pitstop(engine=engine, store=tmp_path), open_scope("export"):
        async with engine.connect() as connection:
            await connection.execute(PAGE, {"most": 20, "from_": 4_000})
    await engine.dispose()
    assert skipped(tmp_path) == 4_000


def judge(*, calls: int, rows: int, skipped: int) -> list[Finding]:
    totals = StatementTotals("request", "GET /orders", "f", LINE, "SELECT 1", calls, 400.0, 9.0, rows)
    totals.skipped = skipped
    observations = Observations()
    observations.statements["request", "GET /orders", "f", LINE] = totals
    return diagnose(Evidence(observations, None, Thresholds()))


def test_deep_pages_are_told() -> None:
    """What is skipped and brought on average, the time it takes, the line, and paging by key as the cure."""
    (found,) = judge(calls=40, rows=800, skipped=120_000)
    assert (found.rule, found.severity, found.location) == ("deep-offset", "warning", LINE)
    assert found.what == "GET /orders skips 3,000 rows by OFFSET to bring 20, on average"
    assert found.cost.startswith("10.0 ms a time, 99% of the rows are read in vain")
    assert found.cost_ms == pytest.approx(400.0 * 120_000 / 120_800)
    assert found.cure.startswith("page by key: ")


@pytest.mark.parametrize(("rows", "skipped"), [(800, 0), (800, 39_000), (20_000, 100_000), (-1, 0)], ids=str)
def test_shallow_pages_are_fine(rows: int, skipped: int) -> None:
    """The first pages, a few deep ones among many, or an export in large chunks: no finding."""
    assert judge(calls=40, rows=rows, skipped=skipped) == []
