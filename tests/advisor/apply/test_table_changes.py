"""Settings and statistics of tables, changed on a live database and taken back."""

import asyncio
from typing import Any

import psycopg
import pytest

from pitstop.advisor.apply import plan_changes
from pitstop.errors import ApplyFailed, ChangeRefused
from pitstop.schema import read_script
from tests.advisor.apply.conftest import Applier

Database = psycopg.Connection[Any]
OPTIONS = "SELECT coalesce(reloptions, '{}') FROM pg_class WHERE oid = 'orders'::regclass"
TARGET = (
    "SELECT coalesce(attstattarget, -1) FROM pg_attribute "
    "WHERE attrelid = 'orders'::regclass AND attname = 'state'"
)
WANTED = """
ALTER TABLE orders SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE orders ALTER COLUMN state SET STATISTICS 500;
CREATE STATISTICS ON customer, state FROM orders;
ANALYZE orders;
"""


def only(database: Database, query: str) -> Any:
    row = database.execute(query.encode()).fetchone()
    return row[0] if row else None


async def test_there_and_back(applier: Applier, database: Database) -> None:
    """All of it is done once, passed over then, and taken back by what the plan wrote down."""
    database.execute("ALTER TABLE orders SET (fillfactor = 95, parallel_workers = 3)")
    written = (await plan_changes(applier.url, read_script(WANTED))).sql
    assert "-- revert: ALTER TABLE public.orders SET (fillfactor = 95), RESET (autovacuum_" in written
    await applier(written)
    assert sorted(only(database, OPTIONS)) == [
        "autovacuum_vacuum_scale_factor=0.02",
        "fillfactor=80",
        "parallel_workers=3",
    ]
    assert only(database, TARGET) == 500
    known = "SELECT attnames FROM pg_stats_ext WHERE statistics_name = 'st_orders_customer_state'"
    assert only(database, known) == ["customer", "state"]
    assert (await plan_changes(applier.url, read_script(WANTED))).pending == ()
    await applier(written, revert=True)
    assert sorted(only(database, OPTIONS)) == ["fillfactor=95", "parallel_workers=3"]
    assert only(database, TARGET) == -1
    assert only(database, "SELECT count(*) FROM pg_statistic_ext") == 0


async def test_statistics_that_were_never_gathered(applier: Applier, database: Database) -> None:
    """Where a kill came between the two, the second run gathers what the first has asked for."""
    database.execute("CREATE STATISTICS st_orders_customer_state ON customer, state FROM orders")
    plan = await plan_changes(applier.url, read_script(WANTED))
    assert [step.change.sql.split()[0] for step in plan.pending] == ["ALTER", "ALTER", "ANALYZE"]


async def test_a_constraint_is_validated(applier: Applier, database: Database) -> None:
    """A constraint is held against all rows beside writers; where one breaks it, that is told."""
    database.execute("ALTER TABLE orders ADD CONSTRAINT known CHECK (customer < 1000) NOT VALID")
    database.execute("ALTER TABLE orders ADD CONSTRAINT low CHECK (customer < 5) NOT VALID")
    sql = "ALTER TABLE orders VALIDATE CONSTRAINT known"
    await applier(sql)
    await applier(sql)
    assert applier.told("done") == ["is valid"]
    with pytest.raises(ApplyFailed, match='"low" of relation "orders" is violated by some row'):
        await applier("ALTER TABLE orders VALIDATE CONSTRAINT low")


async def test_a_lock_is_asked_for_again(applier: Applier, database: Database, url: str) -> None:
    """While somebody holds the table, each attempt gives up soon, so that nobody queues for long."""
    with psycopg.connect(url) as holder:
        holder.execute("LOCK TABLE orders IN SHARE UPDATE EXCLUSIVE MODE")
        running = asyncio.create_task(
            applier("ALTER TABLE orders SET (fillfactor = 80)", lock_timeout_s=0.05)
        )
        await applier.until("again")
        database.execute("UPDATE orders SET note = 'written meanwhile' WHERE id = 1")
        holder.rollback()
        await asyncio.wait_for(running, timeout=60)
    assert only(database, OPTIONS) == ["fillfactor=80"]


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("ALTER TABLE gone SET (fillfactor = 80)", "there is no table gone"),
        ("ALTER TABLE orders ALTER nothing SET STATISTICS 5", "has no column 'nothing'"),
        ("ALTER TABLE orders VALIDATE CONSTRAINT nothing", "has no constraint 'nothing'"),
        ("ALTER TABLE events SET (fillfactor = 80)", "is partitioned and has no rows of its own"),
        ("CREATE STATISTICS taken ON customer, state FROM orders", "are statistics of public.events"),
    ],
)
async def test_refused(applier: Applier, database: Database, sql: str, reason: str) -> None:
    """What is not there, or is another, is told before anything is begun."""
    database.execute("CREATE STATISTICS taken ON id, at FROM events")
    with pytest.raises(ChangeRefused, match=reason):
        await applier(f"ALTER TABLE orders SET (fillfactor = 80); {sql}")
    assert only(database, OPTIONS) == []
