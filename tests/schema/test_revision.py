"""Plans as revisions, which Alembic itself runs on a real database; autogenerate knows what it sees."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Column, Date, Index, Integer, MetaData, Table, Text, text

from pitstop.advisor.apply import plan_changes
from pitstop.errors import SettingsError
from pitstop.postgres.address import libpq_url
from pitstop.schema import read_script, write_revision

Database = psycopg.Connection[Any]
ENV = """
from alembic import context
from sqlalchemy import create_engine
from pitstop.schema import migration_options

config = context.config
if context.is_offline_mode():
    url = config.get_main_option("sqlalchemy.url")
    context.configure(url=url, literal_binds=True, **migration_options(None))
    with context.begin_transaction():
        context.run_migrations()
else:
    engine = create_engine(config.get_main_option("sqlalchemy.url"))
    with engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=config.attributes.get("metadata"),
            **migration_options(connection, keep=["kept_*"]),
        )
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()
"""
SQL = """
CREATE INDEX ix_note ON orders ((note || ':x%s'), customer DESC) WHERE note <> 'a:b';
CREATE INDEX ON events (at);
DROP INDEX ix_old;
"""


@pytest.fixture
def database(sync_database_url: str) -> Iterator[Database]:
    """Orders with an old index, and events in a partition."""
    with psycopg.connect(libpq_url(sync_database_url), autocommit=True) as connection:
        connection.execute("CREATE TABLE orders (id integer PRIMARY KEY, customer integer, note text)")
        connection.execute("CREATE INDEX ix_old ON orders (note DESC) INCLUDE (customer)")
        connection.execute("CREATE TABLE events (id integer, at date) PARTITION BY RANGE (at)")
        connection.execute("CREATE TABLE events_1 PARTITION OF events DEFAULT")
        yield connection


@pytest.fixture
def config(tmp_path: Path, sync_database_url: str) -> Config:
    """What `alembic init` makes, with our options in env.py."""
    made = Config(str(tmp_path / "alembic.ini"))
    command.init(made, str(tmp_path / "migrations"))
    (tmp_path / "migrations" / "env.py").write_text(ENV)
    config = Config(str(tmp_path / "alembic.ini"))
    config.set_main_option("sqlalchemy.url", sync_database_url.replace("%", "%%"))
    return config


def indexes(database: Database) -> dict[str, bool]:
    names = (
        "SELECT indexrelid::regclass::text, indisvalid FROM pg_index WHERE indexrelid::regclass::text ~ '^ix'"
    )
    return dict(database.execute(names.encode()).fetchall())


async def test_up_and_down(database: Database, config: Config, tmp_path: Path, database_url: str) -> None:
    """A revision makes what the plan says, also where a part was left invalid, and takes it back."""
    plan = await plan_changes(database_url, read_script(SQL))
    path = write_revision(tmp_path, plan, message="tune orders")
    assert path.parent == tmp_path / "migrations" / "versions"
    definition = "SELECT pg_get_indexdef('ix_old'::regclass)"
    was = database.execute(definition).fetchone()
    database.execute("INSERT INTO orders VALUES (1, 1, 'x'), (2, 1, 'x')")
    with pytest.raises(psycopg.errors.UniqueViolation):
        database.execute("CREATE UNIQUE INDEX CONCURRENTLY ix_note ON orders (note)")
    command.upgrade(config, "head")
    assert indexes(database) == {"ix_note": True, "ix_events_at": True, "ix_events_at_events_1": True}
    row = database.execute("SELECT pg_get_indexdef('ix_note'::regclass)").fetchone()
    assert row is not None
    assert "(((note || ':x%s'::text)), customer DESC) WHERE (note <> 'a:b'::text)" in row[0]
    command.downgrade(config, "base")
    assert indexes(database) == {"ix_old": True}
    assert database.execute(definition).fetchone() == was
    again = await plan_changes(database_url, read_script(SQL))
    write_revision(tmp_path / "migrations", again, message="once more")  # on top of the first


async def test_offline(
    database: Database, config: Config, tmp_path: Path, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """`alembic upgrade --sql` writes it too, outside of a transaction."""
    write_revision(tmp_path, await plan_changes(database_url, read_script(SQL)), message="tune orders")
    command.upgrade(config, "head", sql=True)
    out = capsys.readouterr().out
    assert "COMMIT;\n\nCREATE INDEX CONCURRENTLY IF NOT EXISTS ix_note ON public.orders" in out


async def test_no_migrations(database: Database, tmp_path: Path, database_url: str) -> None:
    """A directory without migrations is named, with what makes them."""
    plan = await plan_changes(database_url, read_script(SQL))
    with pytest.raises(SettingsError, match=f"no migrations in {tmp_path}.*alembic init"):
        write_revision(tmp_path, plan, message="tune orders")


def test_autogenerate(database: Database, config: Config) -> None:
    """Indexes of tables that are there are made beside writers; partitions and views are not touched."""
    database.execute("CREATE MATERIALIZED VIEW totals AS SELECT count(*) AS orders FROM orders")
    database.execute("CREATE INDEX kept_note ON orders (note)")
    metadata = MetaData()
    note = Column("note", Text)
    customer = Column("customer", Integer)
    Table("orders", metadata, Column("id", Integer, primary_key=True), customer, note)
    Index("ix_new", customer, note.desc(), postgresql_where=text("customer > 3"))
    Table("events", metadata, Column("id", Integer), Column("at", Date))
    Table("totals", metadata, Column("orders", Integer))
    Table("fresh", metadata, Column("id", Integer, primary_key=True), Column("a", Integer, index=True))
    config.attributes["metadata"] = metadata
    script = command.revision(config, "auto", autogenerate=True)
    assert script is not None
    assert not isinstance(script, list)
    written = Path(script.path).read_text()
    assert "with op.get_context().autocommit_block(): op.create_index('ix_new', 'orders'" in written
    assert "autocommit_block(): op.drop_index(op.f('ix_old')" in written
    assert "\n    op.create_index(op.f('ix_fresh_a'), 'fresh'" in written
    assert "totals" not in written
    assert "events_1" not in written
    assert "kept_note" not in written
    command.upgrade(config, "head")
    assert indexes(database) == {"ix_new": True, "ix_fresh_a": True}
    command.downgrade(config, "base")
    assert indexes(database) == {"ix_old": True}
