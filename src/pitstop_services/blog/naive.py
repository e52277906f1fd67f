"""The naive form: sync endpoints, an ORM session, lazy relations; as such backends are usually written."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request
from sqlalchemy import ColumnElement, Text, func, literal_column, select, tuple_
from sqlalchemy.orm import Session

from pitstop_services.blog.cursor import Cursor
from pitstop_services.blog.models import Post, User
from pitstop_services.blog.schemas import (
    PREVIEW_CHARS,
    After,
    Author,
    Id,
    Limit,
    Offset,
    PostBody,
    PostDetail,
    PostDraft,
    PostPage,
    PostSummary,
    UserPage,
    Words,
)

__all__ = ["router"]

router = APIRouter()


def get_session(request: Request) -> Iterator[Session]:
    """One session for one request."""
    with request.app.state.sessions() as session:
        yield session


DbSession = Annotated[Session, Depends(get_session)]


@router.get("/posts")
def list_posts(session: DbSession, limit: Limit = 20, offset: Offset = 0, after: After = None) -> PostPage:
    """List the published posts, newest first."""
    posts = session.scalars(
        select(Post)
        .where(Post.is_published, *older_than(after))
        .order_by(Post.created_at.desc(), Post.id.desc())
        .limit(limit)
        .offset(offset)
    ).all()
    total = len(session.scalars(select(Post.id).where(Post.is_published)).all())
    return PostPage(
        posts=[summary(post) for post in posts],
        total=total,
        limit=limit,
        offset=offset,
        next=next_cursor(posts[-1]) if len(posts) == limit else None,
    )


@router.get("/posts/search")
def search_posts(
    session: DbSession, words: Words, limit: Limit = 20, offset: Offset = 0, after: After = None
) -> PostPage:
    """List the published posts that contain all words, newest first."""
    matches = contains(words)
    posts = session.scalars(
        select(Post)
        .where(Post.is_published, matches, *older_than(after))
        .order_by(Post.created_at.desc(), Post.id.desc())
        .limit(limit)
        .offset(offset)
    ).all()
    total = len(session.scalars(select(Post.id).where(Post.is_published, matches)).all())
    return PostPage(
        posts=[summary(post) for post in posts],
        total=total,
        limit=limit,
        offset=offset,
        next=next_cursor(posts[-1]) if len(posts) == limit else None,
    )


@router.get("/posts/{post_id}", response_model=PostDetail)
def get_post(session: DbSession, post_id: Id) -> Post:
    """Show a post with its author and its comments."""
    post = session.get(Post, post_id)
    if post is None or not post.is_published:
        raise HTTPException(404, f"no post {post_id}")
    return post


@router.get("/users/{user_id}/posts")
def list_user_posts(
    session: DbSession, user_id: Id, limit: Limit = 20, offset: Offset = 0, after: After = None
) -> UserPage:
    """List the published posts of a user, newest first."""
    user = session.get(User, user_id)
    if user is None:
        raise HTTPException(404, f"no user {user_id}")
    posts = session.scalars(
        select(Post)
        .where(Post.is_published, Post.author_id == user_id, *older_than(after))
        .order_by(Post.created_at.desc(), Post.id.desc())
        .limit(limit)
        .offset(offset)
    ).all()
    return UserPage(
        user=Author.model_validate(user),
        posts=[summary(post) for post in posts],
        total=len([post for post in user.posts if post.is_published]),
        limit=limit,
        offset=offset,
        next=next_cursor(posts[-1]) if len(posts) == limit else None,
    )


@router.post("/posts", status_code=201, response_model=PostDetail)
def create_post(session: DbSession, draft: PostDraft) -> Post:
    """Write a post."""
    author = session.get(User, draft.author_id)
    if author is None or not author.is_active:
        raise HTTPException(422, f"no active user {draft.author_id}")
    post = Post(**draft.model_dump())
    session.add(post)
    session.commit()
    return post


@router.put("/posts/{post_id}", response_model=PostDetail)
def update_post(session: DbSession, post_id: Id, body: PostBody) -> Post:
    """Change a published post."""
    post = session.get(Post, post_id)
    if post is None or not post.is_published:
        raise HTTPException(404, f"no post {post_id}")
    post.title, post.body, post.tags = body.title, body.body, body.tags
    post.updated_at = func.now()
    session.commit()
    return post


def summary(post: Post) -> PostSummary:
    """A post as it stands in a list."""
    return PostSummary(
        id=post.id,
        title=post.title,
        preview=post.body[:PREVIEW_CHARS],
        author_id=post.author_id,
        author_name=post.author.name if post.author else None,
        comment_count=len(post.comments),
        score=post.score,
        tags=post.tags,
        created_at=post.created_at,
    )


def contains(words: str) -> ColumnElement[bool]:
    """What a post must be to contain all words."""
    # literals, not parameters: an index is on an expression, and nobody could tell which from '$1'
    simple: ColumnElement[str] = literal_column("'simple'")
    blank = literal_column("' '", Text)
    return func.to_tsvector(simple, Post.title + blank + Post.body).bool_op("@@")(
        func.plainto_tsquery(simple, words)
    )


def older_than(after: str | None) -> list[ColumnElement[bool]]:
    """The condition that continues below a cursor."""
    if after is None:
        return []
    cursor = Cursor.parse(after)
    return [tuple_(Post.created_at, Post.id) < (cursor.created_at, cursor.id)]


def next_cursor(last: Post) -> str:
    """The cursor that continues below a post."""
    return str(Cursor(last.created_at, last.id))
