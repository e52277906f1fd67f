"""The statements of the tuned forms, shared by sync and async.

Every statement is built once, with its parameters open, so that SQLAlchemy compiles it once and
PostgreSQL prepares it once per connection. A page is cut on the index first and joined afterwards:
what a deep offset skips is never read, counted or joined.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    Select,
    Text,
    bindparam,
    func,
    insert,
    literal_column,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from pitstop_services.blog.cursor import Cursor
from pitstop_services.blog.models import Comment, Post, User
from pitstop_services.blog.schemas import PREVIEW_CHARS

__all__ = [
    "COMMENTS",
    "CREATE",
    "FOUND_TOTAL",
    "POST",
    "TOTAL",
    "UPDATE",
    "USER",
    "Query",
    "posts_of",
    "posts_with",
    "published",
]

Query = tuple[Select[Any], dict[str, object]]

LIMIT = bindparam("limit", type_=BigInteger)
OFFSET = bindparam("offset", type_=BigInteger)
BELOW = tuple_(Post.created_at, Post.id) < tuple_(
    bindparam("after_time", type_=DateTime(timezone=True)), bindparam("after_id", type_=BigInteger)
)
BY_AUTHOR = Post.author_id == bindparam("user_id", type_=BigInteger)
# spelled exactly as the index ix_posts_text spells it
MATCHES = func.to_tsvector(
    literal_column("'simple'"), Post.title + literal_column("' '", Text) + Post.body
).bool_op("@@")(func.plainto_tsquery(literal_column("'simple'"), bindparam("words", type_=Text)))

COMMENT_COUNT = select(func.count()).select_from(Comment).where(Comment.post_id == Post.id).scalar_subquery()


def _page(*conditions: ColumnElement[bool]) -> Select[Any]:
    cut = (
        select(Post.id, Post.created_at)
        .where(Post.is_published, *conditions)
        .order_by(Post.created_at.desc(), Post.id.desc())
        .limit(LIMIT)
        .offset(OFFSET)
        .subquery("page")
    )
    return (
        select(
            Post.id,
            Post.title,
            func.left(Post.body, PREVIEW_CHARS),
            Post.author_id,
            User.name,
            COMMENT_COUNT,
            Post.score,
            Post.tags,
            Post.created_at,
        )
        .select_from(cut)
        .join(Post, Post.id == cut.c.id)
        .outerjoin(User, User.id == Post.author_id)
        .order_by(cut.c.created_at.desc(), cut.c.id.desc())
    )


def _total(*conditions: ColumnElement[bool]) -> Select[Any]:
    return select(func.count()).select_from(Post).where(Post.is_published, *conditions)


NEWEST = _page()
OLDER = _page(BELOW)
TOTAL = _total()

FOUND = _page(MATCHES)
FOUND_OLDER = _page(MATCHES, BELOW)
FOUND_TOTAL = _total(MATCHES)

USER_NEWEST = _page(BY_AUTHOR)
USER_OLDER = _page(BY_AUTHOR, BELOW)
USER = select(User.id, User.name, User.is_active, _total(BY_AUTHOR).scalar_subquery()).where(
    User.id == bindparam("user_id", type_=BigInteger)
)

POST = (
    select(
        Post.id,
        Post.parent_id,
        Post.title,
        Post.body,
        Post.tags,
        Post.score,
        Post.views,
        Post.created_at,
        Post.updated_at,
        User.id,
        User.name,
        User.is_active,
    )
    .outerjoin(User, User.id == Post.author_id)
    .where(Post.id == bindparam("post_id", type_=BigInteger), Post.is_published)
)
COMMENTS = (
    select(
        Comment.id,
        Comment.body,
        Comment.score,
        Comment.created_at,
        User.id,
        User.name,
        User.is_active,
    )
    .outerjoin(User, User.id == Comment.author_id)
    .where(Comment.post_id == bindparam("post_id", type_=BigInteger))
    .order_by(Comment.created_at, Comment.id)
)

TITLE, BODY, TAGS = (
    bindparam("title", type_=Text),
    bindparam("body", type_=Text),
    bindparam("tags", type_=ARRAY(Text)),
)
# one statement checks the author and writes; no row comes back when there is no such active user
CREATE = (
    insert(Post)
    .from_select(
        ["author_id", "title", "body", "tags"],
        select(User.id, TITLE, BODY, TAGS).where(
            User.id == bindparam("author_id", type_=BigInteger), User.is_active
        ),
    )
    .returning(Post.id)
)
UPDATE = (
    update(Post)
    .where(Post.id == bindparam("post_id", type_=BigInteger), Post.is_published)
    .values(title=TITLE, body=BODY, tags=TAGS, updated_at=func.now())
    .returning(Post.id)
)


def published(*, limit: int, offset: int, after: str | None) -> Query:
    """A page of all published posts: the statement and its parameters."""
    return _choose(NEWEST, OLDER, after, limit=limit, offset=offset)


def posts_with(words: str, *, limit: int, offset: int, after: str | None) -> Query:
    """A page of the published posts that contain all words."""
    return _choose(FOUND, FOUND_OLDER, after, words=words, limit=limit, offset=offset)


def posts_of(user_id: int, *, limit: int, offset: int, after: str | None) -> Query:
    """A page of a user's published posts."""
    return _choose(USER_NEWEST, USER_OLDER, after, user_id=user_id, limit=limit, offset=offset)


def _choose(newest: Select[Any], older: Select[Any], after: str | None, **values: object) -> Query:
    if after is None:
        return newest, values
    cursor = Cursor.parse(after)
    return older, {**values, "after_time": cursor.created_at, "after_id": cursor.id}
