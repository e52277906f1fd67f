"""Fills a database from the real structure: by COPY, deterministic, in one transaction, a row at a time."""

from collections.abc import Iterator

from pitstop_services.blog.migrations import migrate
from pitstop_services.blog.structure import PUBLISHED, Row, Structure, instant, is_active, read_structure
from pitstop_services.blog.text import name, prose, title
from pitstop_services.filling import Progress, Table, Values, seeder

__all__ = ["Progress", "migrate", "seed"]


def _tables(structure: Structure, scale: int) -> list[Table]:
    users = Table(
        "users",
        "id, name, reputation, views, is_active, created_at",
        scale * len(structure.users),
        _users(structure, scale),
    )
    posts = Table(
        "posts",
        "id, parent_id, author_id, is_published, title, body, tags, score, views, created_at",
        scale * len(structure.posts),
        _posts(structure, scale),
    )
    comments = Table(
        "comments",
        "id, post_id, author_id, body, score, created_at",
        scale * len(structure.comments),
        _comments(structure, scale),
    )
    return [users, posts, comments]


def _users(structure: Structure, scale: int) -> Iterator[Values]:
    for copy in range(scale):
        for row in structure.users:
            user_id = int(row["id"]) + copy * structure.strides["users"]
            yield (
                user_id,
                name(user_id),
                int(row["reputation"]),
                int(row["views"]),
                is_active(row),
                instant(row["created_at"], copy=copy),
            )


def _posts(structure: Structure, scale: int) -> Iterator[Values]:
    titles = {row["id"]: row["title_chars"] for row in structure.posts}
    for copy in range(scale):
        for row in structure.posts:
            post_id = int(row["id"]) + copy * structure.strides["posts"]
            parent_id = structure.identity("posts", row["parent_id"], copy=copy)
            yield (
                post_id,
                parent_id,
                structure.identity("users", row["author_id"], copy=copy),
                row["post_type"] in PUBLISHED,
                _title(row, post_id, parent_id, titles),
                prose(post_id, chars=int(row["body_chars"])),
                row["tags"].strip("<>").split("><") if row["tags"] else [],
                int(row["score"]),
                int(row["views"]) if row["views"] else None,
                instant(row["created_at"], copy=copy),
            )


def _title(row: Row, post_id: int, parent_id: int | None, titles: dict[str, str]) -> str:
    """Its own title, or the one that it answers; the pages of the site have neither."""
    if row["title_chars"]:
        return title(post_id, chars=int(row["title_chars"]))
    if parent_id is not None:
        return "Re: " + title(parent_id, chars=int(titles[row["parent_id"]]))
    return f"Page {post_id}"


def _comments(structure: Structure, scale: int) -> Iterator[Values]:
    for copy in range(scale):
        for row in structure.comments:
            comment_id = int(row["id"]) + copy * structure.strides["comments"]
            yield (
                comment_id,
                structure.identity("posts", row["post_id"], copy=copy),
                structure.identity("users", row["author_id"], copy=copy),
                prose(-comment_id, chars=int(row["text_chars"])),
                int(row["score"]),
                instant(row["created_at"], copy=copy),
            )


seed = seeder(lambda scale: _tables(read_structure(), scale), migrate=migrate)
