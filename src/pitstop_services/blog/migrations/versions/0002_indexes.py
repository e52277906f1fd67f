"""The indexes of the tuned forms, built and dropped without blocking a write."""

from alembic import op

revision = "0002"
down_revision = "0001"

PUBLISHED = "is_published"

# name: (table, columns, method, INCLUDE, WHERE); all scans that sort descending read them backwards
INDEXES = {
    # the list: filter, order and keyset in one; also the exact total, from the index alone
    "ix_posts_newest": ("posts", "created_at, id", "btree", "", PUBLISHED),
    # a user's posts and their number; serves the foreign key too
    "ix_posts_author": ("posts", "author_id, created_at, id", "btree", "is_published", ""),
    # the comments of a post in their order, and their number
    "ix_comments_post": ("comments", "post_id, created_at, id", "btree", "", ""),
    # the two remaining foreign keys; most posts of the site have a parent, so only those
    "ix_comments_author": ("comments", "author_id", "btree", "", "author_id IS NOT NULL"),
    "ix_posts_parent": ("posts", "parent_id", "btree", "", "parent_id IS NOT NULL"),
    # full text; the statement must spell the expression exactly like this
    "ix_posts_text": ("posts", "to_tsvector('simple', title || ' ' || body)", "gin", "", PUBLISHED),
}


def upgrade() -> None:
    with op.get_context().autocommit_block():
        for name, (table, columns, method, include, where) in INDEXES.items():
            # a build that was broken off leaves an invalid index behind
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(
                f"CREATE INDEX CONCURRENTLY {name} ON {table} USING {method} ({columns})"
                + (f" INCLUDE ({include})" if include else "")
                + (f" WHERE {where}" if where else "")
            )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        for name in reversed(INDEXES):
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
