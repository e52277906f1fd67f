"""The answers of the tuned forms: rows become records, records become JSON, without a model between."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from pitstop_services.blog.cursor import Cursor

__all__ = ["encode_page", "encode_post", "encode_user_page"]

Rows = Sequence[Any]  # a Row's type arguments differ between SQLAlchemy 2.0 and 2.1


class PostSummary(msgspec.Struct, frozen=True):
    """A post in a list; the fields in the order of the columns of a page."""

    id: int
    title: str
    preview: str
    author_id: int | None
    author_name: str | None
    comment_count: int
    score: int
    tags: list[str]
    created_at: datetime


class PostPage(msgspec.Struct, frozen=True):
    """A page of posts."""

    posts: list[PostSummary]
    total: int
    limit: int
    offset: int
    next: str | None


class Author(msgspec.Struct, frozen=True):
    """Who wrote something."""

    id: int
    name: str
    is_active: bool


class UserPage(msgspec.Struct, frozen=True):
    """A page of one user's posts."""

    posts: list[PostSummary]
    total: int
    limit: int
    offset: int
    next: str | None
    user: Author


class CommentDetail(msgspec.Struct, frozen=True):
    """A comment under a post."""

    id: int
    body: str
    score: int
    created_at: datetime
    author: Author | None


class PostDetail(msgspec.Struct, frozen=True):
    """One post with its comments."""

    id: int
    parent_id: int | None
    title: str
    body: str
    tags: list[str]
    score: int
    views: int | None
    created_at: datetime
    updated_at: datetime | None
    author: Author | None
    comments: list[CommentDetail]


_encode = msgspec.json.Encoder().encode


def encode_page(rows: Rows, *, total: int, limit: int, offset: int) -> bytes:
    """A page as JSON, from the rows of its statement."""
    posts = [PostSummary(*row) for row in rows]
    return _encode(PostPage(posts, total, limit, offset, _next(posts, limit)))


def encode_user_page(rows: Rows, *, user: Any, limit: int, offset: int) -> bytes:
    """A page of a user's posts as JSON, from the rows of its statement and the row of ``USER``."""
    posts = [PostSummary(*row) for row in rows]
    columns, total = user[:-1], user[-1]
    return _encode(UserPage(posts, total, limit, offset, _next(posts, limit), Author(*columns)))


def encode_post(post: Any, comments: Rows) -> bytes:
    """A post as JSON, from the rows of ``POST`` and ``COMMENTS``."""
    author = _author(*post[9:])
    return _encode(PostDetail(*post[:9], author, [_comment(*row) for row in comments]))  # type: ignore[call-arg]


def _comment(
    comment_id: int,
    body: str,
    score: int,
    created_at: datetime,
    author_id: int | None,
    name: str,
    is_active: bool,
) -> CommentDetail:
    return CommentDetail(comment_id, body, score, created_at, _author(author_id, name, is_active))


def _author(user_id: int | None, name: str, is_active: bool) -> Author | None:
    return None if user_id is None else Author(user_id, name, is_active)


def _next(posts: list[PostSummary], limit: int) -> str | None:
    if len(posts) < limit:
        return None
    return str(Cursor(posts[-1].created_at, posts[-1].id))
