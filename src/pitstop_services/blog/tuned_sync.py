"""The tuned form for sync code: the same statements and answers over psycopg, in FastAPI's threads."""

from fastapi import APIRouter, HTTPException, Request, Response
from sqlalchemy import Connection

from pitstop_services.blog import queries, schemas
from pitstop_services.blog.answers import encode_page, encode_post, encode_user_page
from pitstop_services.blog.schemas import After, Id, Limit, Offset, PostBody, PostDraft, Words

__all__ = ["router"]

router = APIRouter()

JSON = "application/json"


@router.get("/posts", response_model=schemas.PostPage)
def list_posts(request: Request, limit: Limit = 20, offset: Offset = 0, after: After = None) -> Response:
    """List the published posts, newest first."""
    page = queries.published(limit=limit, offset=offset, after=after)
    with request.app.state.reads.connect() as connection:
        rows = connection.execute(*page).all()
        total = connection.scalar(queries.TOTAL)
    return Response(encode_page(rows, total=total, limit=limit, offset=offset), media_type=JSON)


@router.get("/posts/search", response_model=schemas.PostPage)
def search_posts(
    request: Request, words: Words, limit: Limit = 20, offset: Offset = 0, after: After = None
) -> Response:
    """List the published posts that contain all words, newest first."""
    page = queries.posts_with(words, limit=limit, offset=offset, after=after)
    with request.app.state.reads.connect() as connection:
        rows = connection.execute(*page).all()
        total = connection.scalar(queries.FOUND_TOTAL, {"words": words})
    return Response(encode_page(rows, total=total, limit=limit, offset=offset), media_type=JSON)


@router.get("/posts/{post_id}", response_model=schemas.PostDetail)
def get_post(request: Request, post_id: Id) -> Response:
    """Show a post with its author and its comments."""
    with request.app.state.reads.connect() as connection:
        content = read_post(connection, post_id)
    return Response(content, media_type=JSON)


@router.get("/users/{user_id}/posts", response_model=schemas.UserPage)
def list_user_posts(
    request: Request, user_id: Id, limit: Limit = 20, offset: Offset = 0, after: After = None
) -> Response:
    """List the published posts of a user, newest first."""
    page = queries.posts_of(user_id, limit=limit, offset=offset, after=after)
    with request.app.state.reads.connect() as connection:
        user = connection.execute(queries.USER, {"user_id": user_id}).one_or_none()
        if user is None:
            raise HTTPException(404, f"no user {user_id}")
        rows = connection.execute(*page).all()
    return Response(encode_user_page(rows, user=user, limit=limit, offset=offset), media_type=JSON)


@router.post("/posts", status_code=201, response_model=schemas.PostDetail)
def create_post(request: Request, draft: PostDraft) -> Response:
    """Write a post."""
    with request.app.state.engine.begin() as connection:
        post_id = connection.scalar(queries.CREATE, draft.model_dump())
        if post_id is None:
            raise HTTPException(422, f"no active user {draft.author_id}")
        content = read_post(connection, post_id)
    return Response(content, status_code=201, media_type=JSON)


@router.put("/posts/{post_id}", response_model=schemas.PostDetail)
def update_post(request: Request, post_id: Id, body: PostBody) -> Response:
    """Change a published post."""
    with request.app.state.engine.begin() as connection:
        connection.execute(queries.UPDATE, {"post_id": post_id, **body.model_dump()})
        content = read_post(connection, post_id)
    return Response(content, media_type=JSON)


def read_post(connection: Connection, post_id: int) -> bytes:
    """A published post as JSON, or 404."""
    post = connection.execute(queries.POST, {"post_id": post_id}).one_or_none()
    if post is None:
        raise HTTPException(404, f"no post {post_id}")
    comments = connection.execute(queries.COMMENTS, {"post_id": post_id}).all()
    return encode_post(post, comments)
