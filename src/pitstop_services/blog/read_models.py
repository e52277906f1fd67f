"""The read-model form: PostgreSQL makes the JSON that the response models describe; it is sent as it is."""

from datetime import datetime
from typing import Any

import msgspec
from fastapi import APIRouter, HTTPException, Request, Response
from sqlalchemy import BigInteger, ColumnElement, bindparam, func
from sqlalchemy.ext.asyncio import AsyncConnection

from pitstop import read_model
from pitstop.sql import ReadModel
from pitstop_services.blog import queries, schemas
from pitstop_services.blog.cursor import Cursor
from pitstop_services.blog.models import Post, User
from pitstop_services.blog.schemas import PREVIEW_CHARS, After, Id, Limit, Offset, PostBody, PostDraft, Words

__all__ = ["router"]

router = APIRouter()

JSON = "application/json"
SUMMARY = (
    read_model(Post, schemas.PostSummary)
    .field("preview", func.left(Post.body, PREVIEW_CHARS))
    .field("author_name", Post.author, User.name)
    .field("comment_count", queries.COMMENT_COUNT)
    .where(Post.is_published)
    .order_by(Post.created_at.desc(), Post.id.desc())
    .limit(queries.LIMIT)
    .offset(queries.OFFSET)
)
POST = (
    read_model(Post, schemas.PostDetail)
    .where(Post.id == bindparam("post_id", type_=BigInteger), Post.is_published)
    .one()
)


class Last(msgspec.Struct, frozen=True):
    """What the cursor of a post needs; the rest of the post is not decoded."""

    created_at: datetime
    id: int


class Posts:
    """Pages of the posts for which the conditions hold, from the first one or below a cursor."""

    def __init__(self, *conditions: ColumnElement[bool]) -> None:
        self._newest: ReadModel = SUMMARY.where(*conditions)
        self._older: ReadModel = self._newest.where(queries.BELOW)

    async def fetch(
        self, connection: AsyncConnection, *, limit: int, offset: int, after: str | None, **values: Any
    ) -> bytes:
        """The JSON array of a page."""
        page = {"limit": limit, "offset": offset, **values}
        if after is None:
            return await self._newest.fetch(connection, **page)
        cursor = Cursor.parse(after)
        page |= {"after_time": cursor.created_at, "after_id": cursor.id}
        return await self._older.fetch(connection, **page)


PUBLISHED = Posts()
FOUND = Posts(queries.MATCHES)
BY_AUTHOR = Posts(queries.BY_AUTHOR)

_last_of = msgspec.json.Decoder(list[Last]).decode
_encode = msgspec.json.Encoder().encode


@router.get("/posts", response_model=schemas.PostPage)
async def list_posts(
    request: Request, limit: Limit = 20, offset: Offset = 0, after: After = None
) -> Response:
    """List the published posts, newest first."""
    async with request.app.state.async_reads.connect() as connection:
        posts = await PUBLISHED.fetch(connection, limit=limit, offset=offset, after=after)
        total = await connection.scalar(queries.TOTAL)
    return Response(encode_page(posts, total=total, limit=limit, offset=offset), media_type=JSON)


@router.get("/posts/search", response_model=schemas.PostPage)
async def search_posts(
    request: Request, words: Words, limit: Limit = 20, offset: Offset = 0, after: After = None
) -> Response:
    """List the published posts that contain all words, newest first."""
    async with request.app.state.async_reads.connect() as connection:
        posts = await FOUND.fetch(connection, limit=limit, offset=offset, after=after, words=words)
        total = await connection.scalar(queries.FOUND_TOTAL, {"words": words})
    return Response(encode_page(posts, total=total, limit=limit, offset=offset), media_type=JSON)


@router.get("/posts/{post_id}", response_model=schemas.PostDetail)
async def get_post(request: Request, post_id: Id) -> Response:
    """Show a post with its author and its comments."""
    async with request.app.state.async_reads.connect() as connection:
        content = await read_post(connection, post_id)
    return Response(content, media_type=JSON)


@router.get("/users/{user_id}/posts", response_model=schemas.UserPage)
async def list_user_posts(
    request: Request, user_id: Id, limit: Limit = 20, offset: Offset = 0, after: After = None
) -> Response:
    """List the published posts of a user, newest first."""
    async with request.app.state.async_reads.connect() as connection:
        user = (await connection.execute(queries.USER, {"user_id": user_id})).one_or_none()
        if user is None:
            raise HTTPException(404, f"no user {user_id}")
        posts = await BY_AUTHOR.fetch(connection, limit=limit, offset=offset, after=after, user_id=user_id)
    *columns, total = user
    author = {"user": dict(zip(("id", "name", "is_active"), columns, strict=True))}
    content = encode_page(posts, total=total, limit=limit, offset=offset, more=author)
    return Response(content, media_type=JSON)


@router.post("/posts", status_code=201, response_model=schemas.PostDetail)
async def create_post(request: Request, draft: PostDraft) -> Response:
    """Write a post."""
    async with request.app.state.async_engine.begin() as connection:
        post_id = await connection.scalar(queries.CREATE, draft.model_dump())
        if post_id is None:
            raise HTTPException(422, f"no active user {draft.author_id}")
        content = await read_post(connection, post_id)
    return Response(content, status_code=201, media_type=JSON)


@router.put("/posts/{post_id}", response_model=schemas.PostDetail)
async def update_post(request: Request, post_id: Id, body: PostBody) -> Response:
    """Change a published post."""
    async with request.app.state.async_engine.begin() as connection:
        await connection.execute(queries.UPDATE, {"post_id": post_id, **body.model_dump()})
        content = await read_post(connection, post_id)
    return Response(content, media_type=JSON)


async def read_post(connection: AsyncConnection, post_id: int) -> bytes:
    """A published post as JSON, or 404."""
    content = await POST.fetch(connection, post_id=post_id)
    if content is None:
        raise HTTPException(404, f"no post {post_id}")
    return content


def encode_page(posts: bytes, *, total: int, limit: int, offset: int, more: object = None) -> bytes:
    """A page around the JSON array of its posts.

    Args:
        posts: the array.
        total, limit, offset: as in the answer.
        more: an object whose keys come first, or None.
    """
    last = _last_of(posts)
    cursor = str(Cursor(last[-1].created_at, last[-1].id)) if len(last) == limit else None
    tail = _encode({"total": total, "limit": limit, "offset": offset, "next": cursor})
    head = b"{" if more is None else _encode(more)[:-1] + b","
    return b'%b"posts":%b,%b' % (head, posts, tail[1:])
