"""Triggers: what psql or another service changes reaches the cache; what is fenced is not told twice."""

import asyncio
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, column, create_engine, select, table, update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from pitstop.cache import Cache
from pitstop.cache.triggers import TableTags, apply, install_ddl, parse_tables, trigger_ddl, uninstall_ddl
from pitstop.errors import SettingsError
from pitstop.postgres.address import libpq_url, psycopg_url
from tests.cache.wait import eventually

Database = psycopg.Connection[Any]

TAGS = TableTags("orders", ("order:{id}", "user:{user_id}:{name}"))
OBJECTS = """
SELECT (SELECT count(*) FROM pg_class WHERE relname LIKE '%pitstop%')
     + (SELECT count(*) FROM pg_proc WHERE proname LIKE '%pitstop%')
     + (SELECT count(*) FROM pg_trigger WHERE tgname LIKE '%pitstop%')
"""


@pytest.fixture
def bare(sync_database_url: str) -> Iterator[Database]:
    """A database with orders and nothing of ours."""
    with psycopg.connect(libpq_url(sync_database_url), autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE orders (id integer PRIMARY KEY, name text, user_id integer, at timestamptz)"
        )
        yield connection


@pytest.fixture
def database(bare: Database) -> Database:
    """The same with an outbox, triggers and one order."""
    apply(bare, install_ddl(bare))
    bare.execute("INSERT INTO orders VALUES (7, 'old', 1)")
    apply(bare, trigger_ddl(bare, [TAGS]))
    return bare


@pytest.fixture
def engine(sync_database_url: str) -> Iterator[Engine]:
    engine = create_engine(psycopg_url(sync_database_url))
    yield engine
    engine.dispose()


@pytest.fixture
def cache(redis_url: str) -> Iterator[Cache]:
    cache = Cache(redis_url)
    yield cache
    asyncio.run(cache.close())


def told(database: Database) -> list[set[str]]:
    """What is in the outbox, which is emptied."""
    taken = "WITH taken AS (DELETE FROM pitstop_outbox RETURNING *) SELECT tags FROM taken ORDER BY id"
    return [set(tags) for (tags,) in database.execute(taken).fetchall()]


def test_insert_update_delete(database: Database) -> None:
    """Each statement tells the tags of its rows, as they were and as they are."""
    database.execute("INSERT INTO orders VALUES (8, 'eight', 2), (9, 'nine', NULL)")
    assert told(database) == [{"t:order:8", "t:user:2:eight", "t:order:9", "t:user:None:nine"}]
    database.execute("UPDATE orders SET user_id = 3 WHERE id = 8")
    assert told(database) == [{"t:order:8", "t:user:2:eight", "t:user:3:eight"}]
    database.execute("DELETE FROM orders WHERE id = 8")
    assert told(database) == [{"t:order:8", "t:user:3:eight"}]
    database.execute("UPDATE orders SET user_id = 3 WHERE id = 100")
    assert told(database) == []


def test_many_rows(database: Database) -> None:
    """A thousand rows are told one by one, more by their families; TRUNCATE too."""
    database.execute("INSERT INTO orders SELECT n, 'x', 1 FROM generate_series(1001, 2000) AS n")
    assert len(told(database)[0]) == 1001
    families = [{"t:order", "t:user"}]
    for statement in (
        "INSERT INTO orders SELECT n, 'x', 1 FROM generate_series(3000, 4000) AS n",
        "UPDATE orders SET user_id = 2",
        "DELETE FROM orders WHERE id > 7",
        "TRUNCATE orders",
    ):
        database.execute(statement)
        assert told(database) == families, statement


def test_a_rollback_tells_nothing(database: Database) -> None:
    """The row is part of the transaction that changes the table."""
    with database.transaction(force_rollback=True):
        database.execute("UPDATE orders SET name = 'new'")
    assert told(database) == []


def test_copy_and_merge(database: Database) -> None:
    """COPY and INSERT ... ON CONFLICT tell as well."""
    with database.cursor().copy("COPY orders (id, name, user_id) FROM STDIN") as copy:
        copy.write_row((8, "eight", 2))
    assert told(database) == [{"t:order:8", "t:user:2:eight"}]
    database.execute("INSERT INTO orders VALUES (8, 'x', 2) ON CONFLICT (id) DO UPDATE SET name = 'acht'")
    assert {"t:order:8", "t:user:2:eight", "t:user:2:acht"} in told(database)


def test_automatic_tags(database: Database) -> None:
    """With ``track`` the tags of tracked functions are told: of the row and of its table."""
    apply(database, trigger_ddl(database, [TableTags("orders", ())], track=True))
    database.execute("UPDATE orders SET name = 'new'")
    assert told(database) == [{"t:row.orders:7", "t:table.orders"}]


def test_a_raw_connection_changes_what_is_cached(database: Database, engine: Engine, cache: Cache) -> None:
    """What psql commits is served soon: the relay is woken, and takes the row out."""

    @cache.cached(ttl=600, tags=["order:{order_id}"])
    def name_of(order_id: int) -> str:
        with Session(engine) as session:
            return session.scalars(select(column("name")).select_from(table("orders"))).one()

    assert name_of(7) == "old"
    assert name_of(7) == "old"
    database.execute("UPDATE orders SET name = 'new' WHERE id = 7")
    eventually(lambda: name_of(7) == "new", "the new name is read")
    eventually(lambda: told(database) == [], "the outbox is empty")


def model(table_name: str = "orders") -> Any:
    class Base(DeclarativeBase):
        """The root of a model of one test: rules on a model stay for as long as the process."""

    class Order(Base):
        """Written by sessions."""

        __tablename__ = table_name
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str]
        user_id: Mapped[int]

    return Order


def listening(database: Database) -> Database:
    database.execute("LISTEN pitstop_outbox")
    return database


def notified(database: Database) -> bool:
    return bool(list(database.notifies(timeout=0.2, stop_after=1)))


def test_a_session_does_not_tell_twice(database: Database, engine: Engine, cache: Cache) -> None:
    """What the fence of a commit covers leaves no row and wakes nobody."""
    order = model()
    cache.invalidate_on_commit(order, tags=["order:{id}", "user:{user_id}:{name}"])
    listening(database)
    with Session(engine) as session:
        session.add(order(id=8, name="eight", user_id=2))
        session.commit()
    assert not notified(database)
    assert told(database) == []


def test_a_session_tells_what_it_has_not_fenced(database: Database, engine: Engine, cache: Cache) -> None:
    """A template that only the trigger knows is told, also when a session writes; the relay is not here."""
    order = model()
    cache.invalidate_on_commit(order, tags=["order:{id}"])
    apply(database, trigger_ddl(database, [TAGS], namespace="elsewhere"))
    listening(database)
    with Session(engine) as session:
        session.add(order(id=8, name="eight", user_id=2))
        session.commit()
    assert notified(database)
    assert told(database) == [{"t:order:8", "t:user:2:eight"}]


def test_two_caches_fence_one_commit(
    database: Database, engine: Engine, cache: Cache, redis_url: str
) -> None:
    """Each cache says what it has fenced; neither overwrites the other's word."""
    order = model()
    other = Cache(redis_url, namespace="another")
    apply(database, trigger_ddl(database, [TableTags("orders", ("order:{id}",))]))
    for each in (cache, other):
        each.invalidate_on_commit(order, tags=["order:{id}"])
    with Session(engine) as session:
        session.add(order(id=8, name="eight", user_id=2))
        session.commit()
    asyncio.run(other.close())
    assert told(database) == []


def test_bulk_writes_of_a_session(database: Database, engine: Engine, cache: Cache) -> None:
    """The families that a bulk statement fences cover the rows that the trigger names."""
    database.execute("CREATE TABLE parcels (id integer PRIMARY KEY, name text, user_id integer)")
    database.execute("INSERT INTO parcels VALUES (1, 'old', 1)")
    parcel = model("parcels")
    cache.invalidate_on_commit(parcel, tags=["parcel:{id}"])
    apply(database, trigger_ddl(database, [TableTags("parcels", ("parcel:{id}",))]))
    listening(database)
    with Session(engine) as session:
        session.execute(update(parcel).values(name="new"))
        session.commit()
    assert not notified(database)
    assert told(database) == []


def test_another_user_needs_no_rights_on_the_outbox(database: Database) -> None:
    """Whoever may change the table tells of it: the functions run with the rights of who installed them."""
    database.execute("CREATE ROLE pitstop_clerk")
    try:
        database.execute("GRANT SELECT, UPDATE ON orders TO pitstop_clerk")
        database.execute("SET ROLE pitstop_clerk")
        database.execute("UPDATE orders SET name = 'new' WHERE id = 7")
        database.execute("RESET ROLE")
        assert told(database) == [{"t:order:7", "t:user:1:old", "t:user:1:new"}]
    finally:
        database.execute("RESET ROLE")
        database.execute("REVOKE ALL ON orders FROM pitstop_clerk")
        database.execute("DROP ROLE pitstop_clerk")


def test_odd_names(bare: Database) -> None:
    """Names, literals and namespaces that need quoting are quoted."""
    apply(bare, install_ddl(bare))
    bare.execute('CREATE SCHEMA "My Shop"')
    bare.execute("""CREATE TABLE "My Shop"."Order's" ("an id" uuid, "order" date)""")
    tags = TableTags('"My Shop"."Order\'s"', ("it's:{order}",))
    apply(bare, trigger_ddl(bare, [tags], namespace="o'ne"))
    bare.execute("SET datestyle = 'German'")
    bare.execute("""INSERT INTO "My Shop"."Order's" VALUES (NULL, '2026-02-01')""")
    rows = bare.execute("SELECT namespace, tags FROM pitstop_outbox").fetchall()
    assert rows == [("o'ne", ["t:it's:2026-02-01"])]


def test_partitioned_table(bare: Database) -> None:
    """The triggers stand on the table whose name statements use."""
    apply(bare, install_ddl(bare))
    bare.execute("CREATE TABLE visits (id bigint) PARTITION BY RANGE (id)")
    bare.execute("CREATE TABLE visits_1 PARTITION OF visits FOR VALUES FROM (0) TO (100)")
    apply(bare, trigger_ddl(bare, [TableTags("visits", ("visit:{id}",))]))
    bare.execute("INSERT INTO visits VALUES (5)")
    assert told(bare) == [{"t:visit:5"}]


def test_uninstalling_leaves_nothing(database: Database) -> None:
    """What was made is removed, triggers and functions first; a second time there is nothing to do."""
    apply(database, uninstall_ddl(database))
    assert database.execute(OBJECTS).fetchone() == (0,)
    assert uninstall_ddl(database) == []
    database.execute("UPDATE orders SET name = 'new'")


def test_installing_twice(database: Database) -> None:
    """The outbox is made once; triggers are replaced, with the tags of the last time."""
    assert install_ddl(database) == []
    apply(database, trigger_ddl(database, [TableTags("orders", ("order:{id}",))]))
    database.execute("UPDATE orders SET name = 'new'")
    assert told(database) == [{"t:order:7"}]


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("order:{key}", r"no column 'key'; there are: id, name, user_id, at"),
        ("order:{at}", r"column 'at' is of type timestamp with time zone, which makes no tag"),
        ("order:{id!r}", "cannot be filled"),
        ("order:{id", "cannot be read"),
        ("order{id}", "has a column in its family"),
    ],
)
def test_a_template_that_cannot_be(bare: Database, template: str, message: str) -> None:
    """A template names columns of types that PostgreSQL and Python write alike."""
    apply(bare, install_ddl(bare))
    with pytest.raises(SettingsError, match=message):
        trigger_ddl(bare, [TableTags("orders", (template,))])


def test_what_is_not_there(bare: Database) -> None:
    """Triggers need an outbox, and a table."""
    with pytest.raises(SettingsError, match="there is no outbox"):
        trigger_ddl(bare, [TAGS])
    apply(bare, install_ddl(bare))
    with pytest.raises(SettingsError, match="there is no table 'nothing'"):
        trigger_ddl(bare, [TableTags("nothing", ("a:{id}",))])
    with pytest.raises(SettingsError, match="has no template"):
        trigger_ddl(bare, [TableTags("orders", ())])


def test_words() -> None:
    """``TABLE=TEMPLATE`` words of one table belong together."""
    words = ["orders=order:{id}", "lines=order:{order_id}", "orders=user:{user_id}=x", "users"]
    assert parse_tables(words) == [
        TableTags("orders", ("order:{id}", "user:{user_id}=x")),
        TableTags("lines", ("order:{order_id}",)),
        TableTags("users", ()),
    ]
    with pytest.raises(SettingsError, match="is not TABLE=TEMPLATE"):
        parse_tables(["=order:{id}"])
