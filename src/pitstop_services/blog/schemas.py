"""What goes over the wire: parameters, request bodies and answers, the same for every form."""

from datetime import datetime
from typing import Annotated

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from pitstop_services.blog.cursor import PATTERN

__all__ = [
    "PREVIEW_CHARS",
    "After",
    "Author",
    "CommentDetail",
    "Id",
    "Limit",
    "Offset",
    "PostBody",
    "PostDetail",
    "PostDraft",
    "PostPage",
    "PostSummary",
    "UserPage",
    "Words",
]

PREVIEW_CHARS = 200

NO_NUL = r"^[^\x00]*$"  # the one character that PostgreSQL cannot store

Id = Annotated[int, Path(ge=-(2**63), lt=2**63)]
Limit = Annotated[int, Query(ge=1, le=100, description="rows of a page")]
Offset = Annotated[int, Query(ge=0, lt=2**63, description="rows to skip")]
After = Annotated[
    str | None, Query(pattern=PATTERN, description="the `next` of a page: begin below its last row")
]
Words = Annotated[
    str, Query(alias="q", min_length=1, max_length=200, pattern=NO_NUL, description="all of these words")
]

Title = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=NO_NUL)]
Prose = Annotated[str, StringConstraints(max_length=100_000, pattern=NO_NUL)]
Tag = Annotated[str, StringConstraints(min_length=1, max_length=35, pattern=NO_NUL)]


class Author(BaseModel):
    """Who wrote something."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    is_active: bool


class PostSummary(BaseModel):
    """A post in a list."""

    id: int
    title: str
    preview: str
    author_id: int | None
    author_name: str | None
    comment_count: int
    score: int
    tags: list[str]
    created_at: datetime


class PostPage(BaseModel):
    """A page of posts, newest first; ``next`` is None on the last page."""

    posts: list[PostSummary]
    total: int
    limit: int
    offset: int
    next: str | None


class UserPage(PostPage):
    """A page of one user's posts."""

    user: Author


class CommentDetail(BaseModel):
    """A comment under a post, with its author."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    body: str
    score: int
    created_at: datetime
    author: Author | None


class PostDetail(BaseModel):
    """One post with all of its comments, oldest first."""

    model_config = ConfigDict(from_attributes=True)

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


class PostBody(BaseModel):
    """What can be changed about a post."""

    title: Title
    body: Prose
    tags: Annotated[list[Tag], Field(max_length=5)] = []


class PostDraft(PostBody):
    """A post to be written; the author must be an active user."""

    author_id: Annotated[int, Field(ge=-(2**63), lt=2**63)]
