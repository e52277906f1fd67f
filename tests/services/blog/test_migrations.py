"""The blog's schema goes up and down."""

import pytest
from sqlalchemy import create_engine, inspect, text

from pitstop.servers import Servers, create_database, drop_database
from pitstop_services.blog.migrations import migrate
from pitstop_services.blog.models import Base

NAMES = {"ix_posts_newest", "ix_posts_author", "ix_posts_parent", "ix_posts_text"}


def indexes(url: str, table: str) -> set[str]:
    """The names of a table's valid indexes, its primary key aside."""
    engine = create_engine(url)
    statement = text(
        "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
        " WHERE i.indrelid = cast(:name AS regclass) AND i.indisvalid AND NOT i.indisprimary"
    )
    try:
        with engine.connect() as connection:
            return set(connection.scalars(statement, {"name": table}))
    finally:
        engine.dispose()


def test_indexes_come_and_go(sync_database_url: str) -> None:
    """Going down to 0001 leaves nothing but keys, going up again brings every index back, rows kept."""
    assert indexes(sync_database_url, "posts") == NAMES
    migrate(sync_database_url, "0001")
    assert indexes(sync_database_url, "posts") == set()
    assert indexes(sync_database_url, "comments") == set()
    migrate(sync_database_url, "head")
    assert indexes(sync_database_url, "posts") == NAMES
    assert indexes(sync_database_url, "comments") == {"ix_comments_author", "ix_comments_post"}
    migrate(sync_database_url, "head")


def test_a_broken_off_build_is_done_again(sync_database_url: str) -> None:
    """An invalid index left behind by an interrupted build does not stop the migration."""
    migrate(sync_database_url, "0001")
    engine = create_engine(sync_database_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE INDEX ix_posts_author ON posts (author_id)"))
        connection.execute(
            text("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_posts_author'::regclass")
        )
    engine.dispose()
    migrate(sync_database_url, "head")
    assert indexes(sync_database_url, "posts") == NAMES


def test_base_drops_everything(sync_database_url: str) -> None:
    """Going down to base leaves no table of the blog."""
    migrate(sync_database_url, "base")
    engine = create_engine(sync_database_url)
    assert not set(inspect(engine).get_table_names()) & set(Base.metadata.tables)
    engine.dispose()


@pytest.mark.parametrize("revision", ["0001", "head"])
def test_the_models_are_the_schema(pitstop_servers: Servers, revision: str) -> None:
    """Alembic's autogenerate finds no table or column that differs between models and migrations."""
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    name = f"schema_{revision}"
    url = create_database(pitstop_servers.sync_database_url, name).replace("+asyncpg", "+psycopg")
    engine = create_engine(url)
    try:
        migrate(url, revision)
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            differences = compare_metadata(context, Base.metadata)
        assert [each for each in differences if each[0] != "remove_index"] == []
    finally:
        engine.dispose()
        drop_database(pitstop_servers.database_url, name)
