"""The naive form with an ``AsyncSession``: every relation awaited, row by row, where it is needed."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from pitstop_services.blog.models import Post, User
from pitstop_services.blog.naive import contains, next_cursor, older_than
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


async def get_session(request: Request) -> AsyncIterator[AsyncSession]:
    """One session for one request."""
    async with request.app.state.async_sessions() as session:
        yield session


DbSession = Annotated[AsyncSession, Depends(get_session)]


@router.get("/posts")
async def list_posts(
    session: DbSession, limit: Limit = 20, offset: Offset = 0, after: After = None
) -> PostPage:
    """List the published posts, newest first."""
    posts = (
        await session.scalars(
            select(Post)
            .where(Post.is_published, *older_than(after))
            .order_by(Post.created_at.desc(), Post.id.desc())
            .limit(limit)
            .offset(offset)
        )
    ).all()
    total = len((await session.scalars(select(Post.id).where(Post.is_published))).all())
    return PostPage(
        posts=[await summary(post) for post in posts],
        total=total,
        limit=limit,
        offset=offset,
        next=next_cursor(posts[-1]) if len(posts) == limit else None,
    )


@router.get("/posts/search")
async def search_posts(
    session: DbSession, words: Words, limit: Limit = 20, offset: Offset = 0, after: After = None
) -> PostPage:
    """List the published posts that contain all words, newest first."""
    matches = contains(words)
    posts = (
        await session.scalars(
            select(Post)
            .where(Post.is_published, matches, *older_than(after))
            .order_by(Post.created_at.desc(), Post.id.desc())
            .limit(limit)
            .offset(offset)
        )
    ).all()
    total = len((await session.scalars(select(Post.id).where(Post.is_published, matches))).all())
    return PostPage(
        posts=[await summary(post) for post in posts],
        total=total,
        limit=limit,
        offset=offset,
        next=next_cursor(posts[-1]) if len(posts) == limit else None,
    )


@router.get("/posts/{post_id}")
async def get_post(session: DbSession, post_id: Id) -> PostDetail:
    """Show a post with its author and its comments."""
    post = await session.get(Post, post_id)
    if post is None or not post.is_published:
        raise HTTPException(404, f"no post {post_id}")
    return await detail(post)


@router.get("/users/{user_id}/posts")
async def list_user_posts(
    session: DbSession, user_id: Id, limit: Limit = 20, offset: Offset = 0, after: After = None
) -> UserPage:
    """List the published posts of a user, newest first."""
    user = await session.get(User, user_id)
    if user is None:
        raise HTTPException(404, f"no user {user_id}")
    posts = (
        await session.scalars(
            select(Post)
            .where(Post.is_published, Post.author_id == user_id, *older_than(after))
            .order_by(Post.created_at.desc(), Post.id.desc())
            .limit(limit)
            .offset(offset)
        )
    ).all()
    return UserPage(
        user=Author.model_validate(user),
        posts=[await summary(post) for post in posts],
        total=len([post for post in await user.awaitable_attrs.posts if post.is_published]),
        limit=limit,
        offset=offset,
        next=next_cursor(posts[-1]) if len(posts) == limit else None,
    )


@router.post("/posts", status_code=201)
async def create_post(session: DbSession, draft: PostDraft) -> PostDetail:
    """Write a post."""
    author = await session.get(User, draft.author_id)
    if author is None or not author.is_active:
        raise HTTPException(422, f"no active user {draft.author_id}")
    post = Post(**draft.model_dump())
    session.add(post)
    await session.commit()
    await session.refresh(post)
    return await detail(post)


@router.put("/posts/{post_id}")
async def update_post(session: DbSession, post_id: Id, body: PostBody) -> PostDetail:
    """Change a published post."""
    post = await session.get(Post, post_id)
    if post is None or not post.is_published:
        raise HTTPException(404, f"no post {post_id}")
    post.title, post.body, post.tags = body.title, body.body, body.tags
    post.updated_at = func.now()
    await session.commit()
    await session.refresh(post)
    return await detail(post)


async def summary(post: Post) -> PostSummary:
    """A post as it stands in a list."""
    author = await post.awaitable_attrs.author
    return PostSummary(
        id=post.id,
        title=post.title,
        preview=post.body[:PREVIEW_CHARS],
        author_id=post.author_id,
        author_name=author.name if author else None,
        comment_count=len(await post.awaitable_attrs.comments),
        score=post.score,
        tags=post.tags,
        created_at=post.created_at,
    )


async def detail(post: Post) -> PostDetail:
    """A post as it stands alone, after all that it points to has been awaited."""
    await post.awaitable_attrs.author
    for comment in await post.awaitable_attrs.comments:
        await comment.awaitable_attrs.author
    return PostDetail.model_validate(post)
