"""Fills a database from the real structure: by COPY, deterministic, in one transaction, a row at a time."""

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, func, make_url, select, text
from sqlalchemy.pool import NullPool

from pitstop.errors import SettingsError
from pitstop_services.blog.migrations import current_revision, migrate
from pitstop_services.blog.models import User
from pitstop_services.blog.structure import PUBLISHED, Row, Structure, instant, is_active, read_structure
from pitstop_services.blog.text import name, prose, title

__all__ = ["Progress", "migrate", "seed"]

Progress = Callable[[int, int], None]  # rows written so far, rows in all
Values = tuple[object, ...]

REPORT_EVERY = 1000  # rows


def seed(
    database_url: str, *, scale: int = 1, revision: str = "head", progress: Progress | None = None
) -> int:
    """Create the schema and fill it; a database that is seeded at this scale already is left alone.

    A database with a schema keeps its revision, so ``migrate(url, "0001"); seed(url)`` gives the
    naive state. Memory does not grow with the scale.

    Args:
        database_url: any spelling of a PostgreSQL URL.
        scale: how often the real structure (about 14,000 rows) is repeated.
        revision: where a database without a schema is taken, after the rows are in.
        progress: called with the rows written so far and the rows in all.

    Returns:
        the number of rows written, 0 if there was nothing to do.

    Raises:
        SettingsError: the scale is below 1, or the database holds other data.
    """
    if scale < 1:
        raise SettingsError(f"scale {scale} cannot be seeded: use 1 or more")
    engine = create_engine(make_url(database_url).set(drivername="postgresql+psycopg"), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            fresh = current_revision(connection) is None
        if fresh:
            migrate(database_url, "0001")  # filling first and indexing then is the faster order
        with engine.begin() as connection:
            written = _fill(connection, scale=scale, progress=progress or _silent)
        if fresh:
            migrate(database_url, revision)
        if written:
            _settle(engine)
    finally:
        engine.dispose()
    return written


def _fill(connection: Connection, *, scale: int, progress: Progress) -> int:
    """Copy all tables in, unless they are there."""
    connection.execute(text("LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE"))  # two seeds at once
    structure = read_structure()
    there = connection.scalar(select(func.count()).select_from(User)) or 0
    if there == scale * len(structure.users):
        return 0
    if there:
        database = connection.engine.url.database
        raise SettingsError(
            f"database {database!r} has {there} users already, scale {scale} would give "
            f"{scale * len(structure.users)}: use an empty database"
        )
    counted = _Counter(scale * len(structure), progress)
    for table, columns, rows in _tables(structure, scale):
        _copy(connection, f"COPY {table} ({columns}) FROM STDIN", counted(rows))
        connection.execute(
            text(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))")  # noqa: S608
        )
    return counted.done


def _copy(connection: Connection, statement: str, rows: Iterator[Values]) -> None:
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


def _settle(engine: Engine) -> None:
    """Leave statistics and visibility as a server that has been up for a while would have them."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM (ANALYZE) users, posts, comments"))


def _tables(structure: Structure, scale: int) -> Iterator[tuple[str, str, Iterator[Values]]]:
    yield "users", "id, name, reputation, views, is_active, created_at", _users(structure, scale)
    yield (
        "posts",
        "id, parent_id, author_id, is_published, title, body, tags, score, views, created_at",
        _posts(structure, scale),
    )
    yield "comments", "id, post_id, author_id, body, score, created_at", _comments(structure, scale)


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


class _Counter:
    """Passes rows on and tells the progress of all tables together."""

    def __init__(self, total: int, progress: Progress) -> None:
        self.total = total
        self.progress = progress
        self.done = 0

    def __call__(self, rows: Iterator[Values]) -> Iterator[Values]:
        for row in rows:
            yield row
            self.done += 1
            if self.done % REPORT_EVERY == 0 or self.done == self.total:
                self.progress(self.done, self.total)


def _silent(_done: int, _total: int) -> None:
    pass
