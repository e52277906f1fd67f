"""Indexes built anew beside writers: what a broken-off rebuild left is cleaned, and nothing else."""

import asyncio
import json
from typing import Any

import psycopg
import pytest

from pitstop.advisor.apply import plan_changes
from pitstop.errors import ApplyFailed, ChangeRefused
from pitstop.schema import read_script
from tests.advisor.apply.conftest import Applier, invalid, is_valid
from tests.advisor.apply.test_applying import building

Database = psycopg.Connection[Any]
SLOW = "CREATE INDEX ix_slow ON orders (slowly(customer))"
REBUILD = "REINDEX INDEX CONCURRENTLY ix_slow"


def file_of(database: Database, index: str) -> object:
    """Another one after each rebuild."""
    return database.execute("SELECT pg_relation_filenode(%s)", [index]).fetchone()


def leave_copy(database: Database, name: str) -> None:
    """An invalid copy of ix_slow, as a server that crashes in the middle of a rebuild leaves it."""
    database.execute(SLOW.replace("ix_slow", name).encode())
    database.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass", [name])


async def test_built_anew(applier: Applier, database: Database) -> None:
    """Each form of REINDEX INDEX runs beside writers, each time it is asked for; a key's index too."""
    database.execute("CREATE INDEX ix_note ON orders (note)")
    for name, sql in (
        ("ix_note", "REINDEX INDEX ix_note"),
        ("ix_note", "reindex (concurrently) index public.ix_note"),
        ("orders_pkey", "REINDEX INDEX orders_pkey"),
    ):
        before = file_of(database, name)
        await applier(sql)
        assert file_of(database, name) != before
    assert invalid(database) == []


async def test_an_invalid_index_is_mended(applier: Applier, database: Database) -> None:
    """An index that a broken-off build left becomes valid."""
    leave_copy(database, "ix_slow")
    await applier(REBUILD)
    assert is_valid(database, "ix_slow")


@pytest.mark.parametrize("name", ["ix_slow_ccnew", "ix_slow_ccnew1"])
async def test_a_new_copy_is_cleaned(applier: Applier, database: Database, name: str) -> None:
    """What was left of a rebuild before the swap is dropped, and the index built anew."""
    database.execute(SLOW)
    leave_copy(database, name)
    before = file_of(database, "ix_slow")
    await applier(REBUILD)
    assert is_valid(database, name) is None
    assert file_of(database, "ix_slow") != before


async def test_an_old_copy_is_cleaned(applier: Applier, database: Database) -> None:
    """What was left after the swap is dropped, and the new index, which is in its place, stays."""
    database.execute(SLOW)
    leave_copy(database, "ix_slow_ccold")
    before = file_of(database, "ix_slow")
    await applier(REBUILD)
    assert is_valid(database, "ix_slow_ccold") is None
    assert file_of(database, "ix_slow") == before
    assert applier.told("done") == ["was built anew before it was broken off"]


async def test_what_is_not_of_a_rebuild_stays(applier: Applier, database: Database) -> None:
    """Valid indexes, other definitions and other names are left alone, invalid or not."""
    database.execute(SLOW)
    leave_copy(database, "ix_slower_ccnew")
    leave_copy(database, "ix_slow_ccnewer")
    database.execute("CREATE INDEX ix_slow_ccnew ON orders (note)")
    database.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_slow_ccnew'::regclass")
    database.execute(SLOW.replace("ix_slow", "ix_slow_ccold"))
    await applier(REBUILD)
    assert sorted(invalid(database)) == ["ix_slow_ccnew", "ix_slow_ccnewer", "ix_slower_ccnew"]
    assert is_valid(database, "ix_slow_ccold")


async def test_a_long_name(applier: Applier, database: Database) -> None:
    """PostgreSQL cuts a long name off to make room for its mark."""
    name = "색" * 21
    database.execute(SLOW.replace("ix_slow", name).encode())
    leave_copy(database, f"{'색' * 19}_ccnew")
    await applier(f"REINDEX INDEX {name}")
    assert invalid(database) == []


async def test_cancelled(applier: Applier, database: Database) -> None:
    """Cancelled as by Ctrl-C, the half-built copy is taken away and the index is what it was."""
    database.execute(SLOW)
    before = file_of(database, "ix_slow")
    task = asyncio.create_task(applier(REBUILD))
    await building(database)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert invalid(database) == []
    assert file_of(database, "ix_slow") == before
    assert applier.told("cleans") == ["drops the invalid public.ix_slow_ccnew"]


async def test_killed_in_the_server(applier: Applier, database: Database) -> None:
    """A rebuild whose server process ends is an error; the same again cleans up and ends valid."""
    database.execute(SLOW)
    task = asyncio.create_task(applier(REBUILD))
    database.execute("SELECT pg_terminate_backend(%s)", [await building(database)])
    with pytest.raises(ApplyFailed, match="administrator command"):
        await task
    assert invalid(database) == ["ix_slow_ccnew"]
    await applier(REBUILD)
    assert invalid(database) == []
    assert is_valid(database, "ix_slow")


async def test_somebody_else_rebuilds(applier: Applier, database: Database, url: str) -> None:
    """The copy that another session is building is no leftover."""
    database.execute(SLOW)
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as other:
        task = asyncio.create_task(other.execute(REBUILD))
        await building(database)
        with pytest.raises(ChangeRefused, match=r"is being built by process \d+ of the server: wait for it"):
            await applier(REBUILD)
        await task
    assert invalid(database) == []


async def test_partitions(applier: Applier, database: Database) -> None:
    """Of a partitioned index each part is built anew by a step of its own."""
    await applier("CREATE INDEX ix_at ON events (at)")
    applier.news.clear()
    await applier("REINDEX INDEX ix_at")
    assert len(applier.told("ends")) == 2
    assert invalid(database) == []


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("REINDEX INDEX nothing", "there is no index nothing in this database"),
        ("REINDEX INDEX orders", "there is no index orders in this database"),
        ("REINDEX INDEX apart", "apart serves an exclusion constraint"),
    ],
)
async def test_what_cannot_be_rebuilt(applier: Applier, database: Database, sql: str, message: str) -> None:
    """It is refused before anything is begun."""
    database.execute("CREATE TABLE rooms (at daterange, CONSTRAINT apart EXCLUDE USING gist (at WITH &&))")
    with pytest.raises(ChangeRefused, match=message):
        await applier(sql)
    assert applier.news == []


async def test_cures_of_a_report(applier: Applier, database: Database, url: str) -> None:
    """The advisor's report is carried out: bloated ones rebuilt, leftovers dropped, unless valid by now."""
    for name in ("ix_bloated", "ix_broken", "ix_mended"):
        database.execute(f"CREATE INDEX {name} ON orders (note)".encode())
    database.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_broken'::regclass")
    before = file_of(database, "ix_bloated")
    report = [
        {"kind": "bloated", "safe": True, "cure": "REINDEX INDEX CONCURRENTLY public.ix_bloated"},
        {"kind": "invalid", "safe": False, "cure": "DROP INDEX CONCURRENTLY public.ix_broken"},
        {"kind": "invalid", "safe": False, "cure": "DROP INDEX CONCURRENTLY public.ix_mended"},
    ]
    database.execute("CREATE INDEX ix_parent ON ONLY events (at)")
    report.append({"kind": "invalid", "safe": False, "cure": "DROP INDEX CONCURRENTLY public.ix_parent"})
    plan = await plan_changes(url, read_script(json.dumps({"report": report})))
    assert [step.state for step in plan.steps] == ["to do", "to do", "done", "done"]
    await applier(json.dumps({"report": report}))
    assert file_of(database, "ix_bloated") != before
    assert is_valid(database, "ix_broken") is None
    assert is_valid(database, "ix_mended")


async def test_nothing_to_take_back(applier: Applier, database: Database) -> None:
    """A rebuilt index is the same index."""
    database.execute(SLOW)
    await applier(REBUILD)
    applier.news.clear()
    await applier(REBUILD, revert=True)
    assert applier.news == []
