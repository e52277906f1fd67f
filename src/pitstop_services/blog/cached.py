"""The cached form: the reads of the tuned form, whole responses kept until a commit changes them."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response
from sqlalchemy import func

from pitstop import Cache
from pitstop_services.blog import queries, schemas
from pitstop_services.blog.answers import encode_page, encode_user_page
from pitstop_services.blog.models import Comment, Post, User
from pitstop_services.blog.schemas import After, Id, Limit, Offset, PostBody, PostDraft, Words
from pitstop_services.blog.tuned import JSON, read_post

__all__ = ["NAMESPACE", "make_cache", "router"]

router = APIRouter()

NAMESPACE = "blog"
TTL = "1h"
SHOWN = 50  # posts that a page names one by one; a longer one depends on every edit


def make_cache(name: str, *, redis_url: str | None) -> Cache:
    """The blog's cache, told what a commit changes.

    Args:
        name: of the database, which the cache is of.
        redis_url: None for the memory of this process.
    """
    cache = Cache(redis=redis_url, namespace=f"{NAMESPACE}.{name}", default_ttl=TTL)
    cache.invalidate_on_commit(Post, tags=["post:{id}", "user:{author_id}", "edits"])
    cache.invalidate_on_commit(Post, tags=["posts"], columns=["created_at", "is_published"])
    cache.invalidate_on_commit(Comment, tags=["post:{post_id}", "edits"])
    cache.invalidate_on_commit(User, tags=["users"])
    return cache


@router.get("/posts", response_model=schemas.PostPage)
async def list_posts(
    request: Request, limit: Limit = 20, offset: Offset = 0, after: After = None
) -> Response:
    """List the published posts, newest first."""
    page = queries.published(limit=limit, offset=offset, after=after)
    async with request.app.state.async_reads.connect() as connection:
        rows = (await connection.execute(*page)).all()
        total = await connection.scalar(queries.TOTAL)
    depend(request, rows, "posts")
    return Response(encode_page(rows, total=total, limit=limit, offset=offset), media_type=JSON)


@router.get("/posts/search", response_model=schemas.PostPage)
async def search_posts(
    request: Request, words: Words, limit: Limit = 20, offset: Offset = 0, after: After = None
) -> Response:
    """List the published posts that contain all words, newest first."""
    page = queries.posts_with(words, limit=limit, offset=offset, after=after)
    async with request.app.state.async_reads.connect() as connection:
        rows = (await connection.execute(*page)).all()
        total = await connection.scalar(queries.FOUND_TOTAL, {"words": words})
    depend(request, rows, "posts", "edits")
    return Response(encode_page(rows, total=total, limit=limit, offset=offset), media_type=JSON)


@router.get("/posts/{post_id}", response_model=schemas.PostDetail)
async def get_post(request: Request, post_id: Id) -> Response:
    """Show a post with its author and its comments."""
    async with request.app.state.async_reads.connect() as connection:
        content = await read_post(connection, post_id)
    request.app.state.cache.tag(f"post:{post_id}", "users")
    return Response(content, media_type=JSON)


@router.get("/users/{user_id}/posts", response_model=schemas.UserPage)
async def list_user_posts(
    request: Request, user_id: Id, limit: Limit = 20, offset: Offset = 0, after: After = None
) -> Response:
    """List the published posts of a user, newest first."""
    page = queries.posts_of(user_id, limit=limit, offset=offset, after=after)
    async with request.app.state.async_reads.connect() as connection:
        user = (await connection.execute(queries.USER, {"user_id": user_id})).one_or_none()
        if user is None:
            raise HTTPException(404, f"no user {user_id}")
        rows = (await connection.execute(*page)).all()
    depend(request, rows, f"user:{user_id}")
    return Response(encode_user_page(rows, user=user, limit=limit, offset=offset), media_type=JSON)


@router.post("/posts", status_code=201, response_model=schemas.PostDetail)
async def create_post(request: Request, draft: PostDraft) -> Response:
    """Write a post."""
    state = request.app.state
    async with state.async_writes() as session:
        author = await session.get(User, draft.author_id)
        if author is None or not author.is_active:
            raise HTTPException(422, f"no active user {draft.author_id}")
        post = Post(**draft.model_dump())
        session.add(post)
        await session.commit()
    async with state.async_reads.connect() as connection:
        return Response(await read_post(connection, post.id), status_code=201, media_type=JSON)


@router.put("/posts/{post_id}", response_model=schemas.PostDetail)
async def update_post(request: Request, post_id: Id, body: PostBody) -> Response:
    """Change a published post."""
    state = request.app.state
    async with state.async_writes() as session:
        post = await session.get(Post, post_id)
        if post is None or not post.is_published:
            raise HTTPException(404, f"no post {post_id}")
        post.title, post.body, post.tags = body.title, body.body, body.tags
        post.updated_at = func.now()
        await session.commit()
    async with state.async_reads.connect() as connection:
        return Response(await read_post(connection, post_id), media_type=JSON)


def depend(request: Request, rows: Sequence[Any], *tags: str) -> None:
    """Say what a page of posts depends on: the tags given, the posts on it, and the names of authors."""
    shown = [f"post:{row.id}" for row in rows] if len(rows) <= SHOWN else ["edits"]
    request.app.state.cache.tag("users", *tags, *shown)
