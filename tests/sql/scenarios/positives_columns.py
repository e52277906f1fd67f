"""N+1s of columns: deferred, left out, expired, refreshed."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, defer, joinedload, load_only, selectinload, undefer, undefer_group

from tests.sql.scenarios.models import Author, Post
from tests.sql.scenarios.record import COLUMN, LAZY, REPEATED, Expect, Scenario, make_positive

SCENARIOS: list[Scenario] = []
positive = make_positive(SCENARIOS)


@positive(
    Expect("Author", "biography", 6, kinds=COLUMN), cured=1, reference=lambda: [undefer(Author.biography)]
)
def deferred_column(session: Session, options: Any = ()) -> list[Any]:
    authors = session.scalars(select(Author).order_by(Author.id).options(*options)).all()  # <query>
    return [author.biography for author in authors]  # <touch>


@positive(Expect("Author", "", 6, kinds=COLUMN), cured=1, reference=lambda: [undefer_group("media")])
def deferred_group(session: Session, options: Any = ()) -> list[Any]:
    authors = session.scalars(select(Author).order_by(Author.id).options(*options)).all()  # <query>
    return [author.photo + author.voice for author in authors]  # <touch>


@positive(
    Expect("Author", "post_count", 6, kinds=COLUMN),
    cured=1,
    reference=lambda: [undefer(Author.post_count)],  # type: ignore[attr-defined]
)
def deferred_column_property(session: Session, options: Any = ()) -> list[Any]:
    authors = session.scalars(select(Author).order_by(Author.id).options(*options)).all()  # <query>
    return [author.post_count for author in authors]  # type: ignore[attr-defined]  # <touch>


@positive(Expect("Author", "name", 6, kinds=COLUMN), cured=1, reference=lambda: [undefer(Author.name)])
def left_out_by_load_only(session: Session, options: Any = ()) -> list[Any]:
    statement = select(Author).order_by(Author.id).options(load_only(Author.id), *options)
    authors = session.scalars(statement).all()  # <query>
    return [author.name for author in authors]  # <touch>


@positive(Expect("Post", "title", 18, kinds=COLUMN, curable=False))
def deferred_by_an_option(session: Session, options: Any = ()) -> list[Any]:
    statement = select(Post).order_by(Post.id).options(defer(Post.title), *options)
    posts = session.scalars(statement).all()  # <query>
    return [post.title for post in posts]  # <touch>


@positive(
    Expect("Author", "biography", 6, kinds=COLUMN),
    cured=1,
    reference=lambda: [joinedload(Post.author).undefer(Author.biography)],
)
def deferred_below_joinedload(session: Session, options: Any = ()) -> list[Any]:
    statement = select(Post).order_by(Post.id).options(joinedload(Post.author), *options)
    posts = session.scalars(statement).all()  # <query>
    return [post.author.biography for post in posts]  # <touch>


@positive(
    Expect("Author", "posts", 6),
    Expect("Author", "biography", 6, kinds=COLUMN, touch="other"),
    cured=2,
    reference=lambda: [selectinload(Author.posts), undefer(Author.biography)],
)
def deferred_column_and_relation(session: Session, options: Any = ()) -> list[Any]:
    authors = session.scalars(select(Author).order_by(Author.id).options(*options)).all()  # <query>
    result = []
    for author in authors:
        titles = [post.title for post in author.posts]  # <touch>
        result.append((titles, author.biography))  # <other>
    return result


@positive(Expect("Author", "", 6, kinds=COLUMN, query="", curable=False))
def expired_by_commit(session: Session, options: Any = ()) -> list[Any]:
    authors = session.scalars(select(Author).order_by(Author.id).options(*options)).all()
    session.commit()
    return [author.name for author in authors]  # <touch>


@positive(Expect("Author", "", 6, kinds=COLUMN, query="", curable=False))
def expired_by_hand(session: Session, options: Any = ()) -> list[Any]:
    authors = session.scalars(select(Author).order_by(Author.id).options(*options)).all()
    session.expire_all()
    result = []
    for author in authors:
        result.append(author.name)  # <touch>
    return result


@positive(Expect("Author", "", (5, 6), kinds=(*COLUMN, *REPEATED), query="", curable=False))
def refresh_in_a_loop(session: Session, options: Any = ()) -> list[Any]:
    authors = session.scalars(select(Author).order_by(Author.id).options(*options)).all()
    for author in authors:
        session.refresh(author)  # <touch>
    return [author.name for author in authors]


@positive(
    Expect("Author", "", (5, 6, 10, 12), kinds=(*LAZY, *COLUMN, *REPEATED), query="", curable=False),
    Expect("Author", "", (5, 6), kinds=(*LAZY, *COLUMN, *REPEATED), query="", curable=False, optional=True),
)
def refresh_of_a_relation_in_a_loop(session: Session, options: Any = ()) -> list[Any]:
    authors = session.scalars(select(Author).order_by(Author.id).options(*options)).all()
    for author in authors:
        session.refresh(author, ["posts"])  # <touch>
    return [len(author.posts) for author in authors]
