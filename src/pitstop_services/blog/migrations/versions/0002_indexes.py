"""The indexes of the tuned forms, built and dropped without blocking a write."""

from pitstop_services.migration import build_indexes, drop_indexes

revision = "0002"
down_revision = "0001"

# all scans that sort descending read them backwards
INDEXES = {
    # the list: filter, order and keyset in one; also the exact total, from the index alone
    "ix_posts_newest": "ON posts (created_at, id) WHERE is_published",
    # a user's posts and their number; serves the foreign key too
    "ix_posts_author": "ON posts (author_id, created_at, id) INCLUDE (is_published)",
    # the comments of a post in their order, and their number
    "ix_comments_post": "ON comments (post_id, created_at, id)",
    # the two remaining foreign keys; most posts of the site have a parent, so only those
    "ix_comments_author": "ON comments (author_id) WHERE author_id IS NOT NULL",
    "ix_posts_parent": "ON posts (parent_id) WHERE parent_id IS NOT NULL",
    # full text; the statement must spell the expression exactly like this
    "ix_posts_text": "ON posts USING gin (to_tsvector('simple', title || ' ' || body)) WHERE is_published",
}


def upgrade() -> None:
    build_indexes(INDEXES)


def downgrade() -> None:
    drop_indexes(reversed(INDEXES))
