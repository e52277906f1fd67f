"""The blog's schema goes up and down."""

from sqlalchemy import text

from pitstop_services.blog.migrations import migrate
from tests.services.database import connected, indexes

NAMES = {"ix_posts_newest", "ix_posts_author", "ix_posts_parent", "ix_posts_text"}


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
    with connected(sync_database_url) as connection:
        connection.execute(text("CREATE INDEX ix_posts_author ON posts (author_id)"))
        connection.execute(
            text("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_posts_author'::regclass")
        )
    migrate(sync_database_url, "head")
    assert indexes(sync_database_url, "posts") == NAMES
