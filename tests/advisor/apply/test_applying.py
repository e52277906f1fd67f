"""Changes carried out on a real database: what stands in the way is named, nothing invalid is left."""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from pitstop.advisor.apply import plan_changes
from pitstop.errors import ApplyFailed, ChangeRefused
from pitstop.schema import read_script
from tests.advisor.apply.conftest import Applier, invalid, is_valid

Database = psycopg.Connection[Any]
SLOW = "CREATE INDEX ix_slow ON orders (slowly(customer))"
BUILDING = """
SELECT pid FROM pg_stat_progress_create_index
 WHERE datname = current_database() AND phase ~ '^(building|waiting)'
"""


@contextlib.contextmanager
def written(url: str) -> Iterator[None]:
    """Somebody has written to the orders: no index of theirs is done before the end of this."""
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO orders VALUES (0, 0, 'new', '')")
        yield
        connection.rollback()


async def building(database: Database) -> int:
    """The process that builds an index; waited for, for a minute at the most."""
    async with asyncio.timeout(60):
        while True:
            row = database.execute(BUILDING).fetchone()
            if row is not None:
                return int(row[0])
            await asyncio.sleep(0.01)


async def test_made_once(applier: Applier, database: Database) -> None:
    """What is there is passed over; an index without a name gets the same one each time."""
    sql = "CREATE INDEX ON orders (customer, id DESC) WHERE state = 'new'; create index ix on orders (note)"
    await applier(sql)
    assert len(applier.told("ends")) == 2
    await applier(sql)
    assert len(applier.told("ends")) == len(applier.told("done")) == 2
    assert invalid(database) == []


async def test_what_is_there_under_another_name(applier: Applier, database: Database) -> None:
    """An index without a name is not made where an equal one has another name."""
    database.execute("CREATE INDEX ours ON orders USING btree (customer ASC NULLS LAST)")
    await applier("CREATE INDEX ON orders (customer)")
    assert applier.told("done") == ["ours is the same"]


@pytest.mark.parametrize("function", ["pg_cancel_backend", "pg_terminate_backend"])
async def test_stopped_by_an_administrator(applier: Applier, database: Database, function: str) -> None:
    """A build that somebody stops in the server is a clear error; the same again ends valid."""
    with written(applier.url):
        task = asyncio.create_task(applier(SLOW))
        database.execute(f"SELECT {function}(%s)".encode(), [await building(database)])
    with pytest.raises(ApplyFailed, match=r"due to (user request|administrator command)"):
        await task
    if function == "pg_cancel_backend":
        assert is_valid(database, "ix_slow") is None
    await applier(SLOW)
    assert is_valid(database, "ix_slow")
    assert invalid(database) == []


async def test_cancelled(applier: Applier, database: Database) -> None:
    """Cancelled as by Ctrl-C, it takes away what it had begun."""
    with written(applier.url):
        task = asyncio.create_task(applier(SLOW))
        await building(database)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert is_valid(database, "ix_slow") is None
    assert applier.told("cleans") == ["drops the invalid public.ix_slow"]


async def test_not_unique(applier: Applier, database: Database) -> None:
    """Values that are there twice are named, and the index is away again."""
    with pytest.raises(ApplyFailed, match=r"could not create unique index.*Key \(customer\)="):
        await applier("CREATE UNIQUE INDEX ix_once ON orders (customer)")
    assert is_valid(database, "ix_once") is None


async def test_a_leftover_is_built_anew(applier: Applier, database: Database) -> None:
    """An invalid index of the same name and definition is dropped and made."""
    with pytest.raises(psycopg.errors.UniqueViolation):
        database.execute("CREATE UNIQUE INDEX CONCURRENTLY ix_once ON orders (customer)")
    assert invalid(database) == ["ix_once"]
    database.execute("DELETE FROM orders WHERE id > 100")
    await applier("CREATE UNIQUE INDEX ix_once ON orders (customer)")
    assert is_valid(database, "ix_once")


@pytest.mark.parametrize(
    "there", ["CREATE UNIQUE INDEX CONCURRENTLY ix_once ON orders (state)", "CREATE VIEW ix_once AS SELECT 1"]
)
async def test_what_is_not_ours_stays(applier: Applier, database: Database, there: str) -> None:
    """Something else of that name, invalid or not, is left alone, and nothing is begun."""
    try:
        database.execute(there.encode())
    except psycopg.errors.UniqueViolation:
        assert invalid(database) == ["ix_once"]
    with pytest.raises(ChangeRefused, match="ix_once is there and is"):
        await applier("CREATE INDEX ix_note ON orders (note); CREATE UNIQUE INDEX ix_once ON orders (id)")
    assert is_valid(database, "ix_note") is None
    assert database.execute("SELECT to_regclass('ix_once') IS NOT NULL").fetchone() == (True,)


async def test_who_is_waited_for(applier: Applier, database: Database, url: str) -> None:
    """An old transaction that the build must outlast is named, without its values; then it is given up."""
    with psycopg.connect(url) as other:
        other.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        other.execute("SELECT 'secret'")
        with pytest.raises(ApplyFailed, match=f"waited 2 s for process {other.info.backend_pid} "):
            await applier("CREATE INDEX ix_note ON orders (note)", wait_s=2.0)
    (waits,) = applier.told("waits")
    assert "(idle in transaction, " in waits
    assert "secret" not in waits
    assert is_valid(database, "ix_note") is None
    await applier("CREATE INDEX ix_note ON orders (note)")
    assert is_valid(database, "ix_note")


async def test_it_outlasts_a_transaction(applier: Applier, database: Database, url: str) -> None:
    """Once the transaction that it waits for has ended, the build goes on."""
    with psycopg.connect(url) as other:
        other.execute("UPDATE orders SET note = 'other' WHERE id = 1")
        task = asyncio.create_task(applier("CREATE INDEX ix_note ON orders (note)"))
        await applier.until("waits")
        database.execute("UPDATE orders SET note = 'mine' WHERE id = 2")  # writers go on meanwhile
        other.commit()
    await task
    assert is_valid(database, "ix_note")


async def test_a_strong_lock_is_given_up_and_asked_for_again(
    applier: Applier, database: Database, url: str
) -> None:
    """What writers would queue behind gives up soon, tells, and is tried again."""
    with psycopg.connect(url) as other:
        other.execute("INSERT INTO events VALUES (5000, '2026-01-01')")
        task = asyncio.create_task(applier("CREATE INDEX ix_at ON events (at)", lock_timeout_s=0.2))
        await applier.until("again")
        database.execute("INSERT INTO events VALUES (5001, '2026-01-01')")
        other.commit()
    await task
    assert is_valid(database, "ix_at")
    assert "lock timeout" in applier.told("again")[0]


async def test_a_strong_lock_is_not_asked_for_ever(applier: Applier, database: Database, url: str) -> None:
    """After the last attempt it is an error, and the same again goes on."""
    with psycopg.connect(url) as other:
        other.execute("LOCK TABLE events IN ROW EXCLUSIVE MODE")
        with pytest.raises(ApplyFailed, match="lock timeout"):
            await applier("CREATE INDEX ix_at ON events (at)", lock_timeout_s=0.1, attempts=2)
    await applier("CREATE INDEX ix_at ON events (at)")
    assert invalid(database) == []


async def test_one_at_a_time(applier: Applier, database: Database, url: str) -> None:
    """A second apply in the same database waits for the first, names it, and finds it all done."""
    with written(url):
        first = asyncio.create_task(applier(SLOW))
        await building(database)
        second = Applier(url)
        other = asyncio.create_task(second(SLOW))
        await second.until("waits")
    await asyncio.gather(first, other)
    assert "another apply is at work: process" in second.told("waits")[0]
    assert second.told("done")[0] == "is there and valid"


async def test_the_other_apply_does_not_end(applier: Applier, database: Database) -> None:
    """Who has waited long enough for another apply is told which one it is."""
    database.execute("SELECT pg_advisory_lock(1346983507, 1)")
    with pytest.raises(ApplyFailed, match=f"another apply is at work.*process {database.info.backend_pid}"):
        await applier(SLOW, wait_s=0.3)


async def test_partitions(applier: Applier, database: Database) -> None:
    """The index of a partitioned table is made on each partition beside writers, and then is one."""
    sql = "CREATE INDEX ix_at ON events (at) WHERE id > 5"
    await applier(sql)
    assert is_valid(database, "ix_at")
    assert invalid(database) == []
    assert database.execute("SELECT count(*) FROM pg_partition_tree('ix_at')").fetchone() == (4,)
    await applier(sql, revert=True)
    assert is_valid(database, "ix_at") is None
    assert database.execute("SELECT count(*) FROM pg_class WHERE relname ~ '^ix_at'").fetchone() == (0,)


async def test_half_of_the_partitions(applier: Applier, database: Database) -> None:
    """What was made of a partitioned index before a kill is kept and used."""
    database.execute("CREATE INDEX ix_at ON ONLY events (at)")
    database.execute('CREATE INDEX mine ON "events 1" (at)')
    await applier("CREATE INDEX ix_at ON events (at)")
    assert invalid(database) == []
    attached = "SELECT inhparent::regclass::text FROM pg_inherits WHERE inhrelid = 'mine'::regclass"
    assert database.execute(attached).fetchone() == ("ix_at",)


async def test_an_expression_gets_statistics(applier: Applier, database: Database) -> None:
    """The planner knows the values of an expression index, also where the analysis was broken off."""
    database.execute("CREATE INDEX ix_part ON orders ((customer % 7))")
    await applier("CREATE INDEX ix_part ON orders ((customer % 7))")
    known = "SELECT n_distinct FROM pg_stats WHERE tablename = 'ix_part'"
    assert database.execute(known).fetchone() == (7,)
    await applier("CREATE INDEX ix_part ON orders ((customer % 7)); ANALYZE orders")
    assert applier.told("done")[-1] == "has its statistics"


async def test_drop_and_back(applier: Applier, database: Database) -> None:
    """A dropped index comes back as it was, from the line that the plan wrote behind it."""
    database.execute("CREATE INDEX ix_note ON orders (note DESC) INCLUDE (state) WHERE customer > 3")
    was = database.execute("SELECT pg_get_indexdef('ix_note'::regclass)").fetchone()
    plan = f"DROP INDEX ix_note;\n-- revert: {was[0] if was else ''};"
    await applier(plan)
    assert is_valid(database, "ix_note") is None
    await applier(plan, revert=True)
    assert database.execute("SELECT pg_get_indexdef('ix_note'::regclass)").fetchone() == was
    with pytest.raises(ChangeRefused, match="nobody wrote down what the index ix_note was"):
        await applier("DROP INDEX ix_note", revert=True)


async def test_only_what_was_made_is_taken_back(applier: Applier, database: Database) -> None:
    """Taking back a plan does not drop another index that has the name by now."""
    database.execute("CREATE INDEX ix_note ON orders (note DESC)")
    with pytest.raises(ChangeRefused, match="is another index, which stays"):
        await applier("CREATE INDEX ix_note ON orders (note)", revert=True)
    assert is_valid(database, "ix_note")


@pytest.mark.parametrize(
    ("setup", "index", "reason"),
    [
        ("SELECT 1", "orders_pkey", "the constraint orders_pkey needs public.orders_pkey"),
        ("CREATE INDEX ix_at ON events (at)", "events_21_at_idx", "a part of a partitioned table's index"),
        (
            "ALTER TABLE orders ADD code integer NOT NULL DEFAULT 1;"
            "DELETE FROM orders WHERE id > 1; CREATE UNIQUE INDEX ix_code ON orders (code);"
            "ALTER TABLE orders REPLICA IDENTITY USING INDEX ix_code",
            "ix_code",
            "replication knows the rows",
        ),
    ],
)
async def test_what_is_needed_is_not_dropped(
    applier: Applier, database: Database, setup: str, index: str, reason: str
) -> None:
    """An index that something besides speed depends on is not dropped."""
    for statement in setup.split(";"):
        database.execute(statement.encode())
    with pytest.raises(ChangeRefused, match=reason):
        await applier(f"DROP INDEX {index}")
    assert is_valid(database, index)


async def test_names(applier: Applier, database: Database) -> None:
    """Names with capitals, spaces, quotes and Korean letters, and in other schemas, are found and written."""
    database.execute(
        'CREATE SCHEMA "My Shop"; CREATE TABLE "My Shop"."주문 ""표""" (고객 integer, "Order" integer)'
    )
    sql = 'CREATE INDEX ON "My Shop"."주문 ""표""" (고객, "Order"); CREATE INDEX 색인 ON orders (note)'
    await applier(sql)
    assert len(applier.told("ends")) == 2
    await applier(sql)
    assert len(applier.told("done")) == 2
    await applier(sql, revert=True)
    assert len(applier.told("ends")) == 4


async def test_only_the_owner_may(applier: Applier, database: Database, url: str) -> None:
    """Who owns a table is asked before the first change, and told; a plan anybody may make."""
    role = f"reader_{database.info.dbname[-20:]}"
    database.execute(f"CREATE ROLE {role}".encode())
    database.execute(f"GRANT SELECT ON orders TO {role}".encode())
    database.execute(f"CREATE TABLE own (a int); ALTER TABLE own OWNER TO {role}".encode())
    sql = "CREATE INDEX ix_own ON own (a); CREATE INDEX ix_note ON orders (note)"
    reader = f"{url}?options=-c%20role%3D{role}%20-c%20default_transaction_read_only%3Don"
    try:
        plan = await plan_changes(reader, read_script(sql))
        assert len(plan.pending) == 2
        with pytest.raises(
            ChangeRefused, match=rf"public.orders belongs to \S+, and {role} may not change it"
        ):
            await Applier(reader)(sql)
        assert is_valid(database, "ix_own") is None
    finally:
        database.execute(f"DROP OWNED BY {role}; DROP ROLE {role}".encode())
