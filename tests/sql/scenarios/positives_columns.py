"""N+1s of columns: deferred, left out, expired, refreshed."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import (
    Session,
    defaultload,
    defer,
    joinedload,
    load_only,
    selectin_polymorphic,
    selectinload,
    undefer,
    undefer_group,
)

from tests.sql.scenarios.models import Author, Company, Employee, Engineer, Manager, Note, Post
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


@positive(
    Expect("Engineer", "resume", 5, kinds=COLUMN),
    cured=2,
    reference=lambda: [selectin_polymorphic(Employee, [Engineer]).options(undefer(Engineer.resume))],
)
def deferred_column_of_a_subclass(session: Session, options: Any = ()) -> list[Any]:
    people = session.scalars(select(Employee).order_by(Employee.id).options(*options)).all()  # <query>
    return [each.resume for each in people if isinstance(each, Engineer)]  # <touch>


@positive(
    Expect("Manager", "", 3, kinds=COLUMN),
    Expect("Manager", "budget", 3, kinds=COLUMN, touch="other"),
    cured=2,
    reference=lambda: [
        selectin_polymorphic(Employee, [Manager]).options(undefer(Manager.agenda), undefer(Manager.diary))
    ],
)
def deferred_group_of_a_subclass(session: Session, options: Any = ()) -> list[Any]:
    people = session.scalars(select(Employee).order_by(Employee.id).options(*options)).all()  # <query>
    managers = [each for each in people if isinstance(each, Manager)]
    days = [each.agenda + each.diary for each in managers]  # <touch>
    return [*days, *(each.budget for each in managers)]  # <other>


@positive(
    Expect("Engineer", "language", 5, kinds=COLUMN),
    Expect("Manager", "budget", 3, kinds=COLUMN),
    cured=4,
    reference=lambda: [defaultload(Company.employees).selectin_polymorphic([Engineer, Manager])],
)
def columns_of_two_subclasses_below_a_relation(session: Session, options: Any = ()) -> list[Any]:
    statement = select(Company).order_by(Company.id).options(selectinload(Company.employees), *options)
    companies = session.scalars(statement).all()  # <query>
    everyone = [employee for company in companies for employee in company.employees]
    return [each.language if isinstance(each, Engineer) else each.budget for each in everyone]  # <touch>


@positive(
    Expect("Engineer", "resume", 5, kinds=COLUMN),
    Expect("Manager", "", 3, kinds=COLUMN),
    cured=2,
    reference=lambda: [
        defaultload(Company.employees.of_type(Engineer)).undefer(Engineer.resume),
        defaultload(Company.employees.of_type(Manager)).undefer_group("office"),
    ],
)
def deferred_columns_of_two_subclasses_below_a_relation(session: Session, options: Any = ()) -> list[Any]:
    statement = select(Company).order_by(Company.id).options(selectinload(Company.employees), *options)
    companies = session.scalars(statement).all()  # <query>
    everyone = [employee for company in companies for employee in company.employees]
    return [each.resume if isinstance(each, Engineer) else each.agenda for each in everyone]  # <touch>


@positive(
    Expect("Author", "", 6, kinds=COLUMN, query="", curable=False),
    Expect("Author", "posts", 6, query="", curable=False),
)
def relation_of_rows_expired_by_commit(session: Session, options: Any = ()) -> list[Any]:
    authors = session.scalars(select(Author).order_by(Author.id).options(*options)).all()
    session.commit()
    return [len(author.posts) for author in authors]  # <touch>


@positive(
    Expect("Note", "", 5, kinds=COLUMN, query="", curable=False),
    Expect("Note", "remarks", 5, query="", curable=False),
)
def relation_of_rows_made_here(session: Session, options: Any = ()) -> list[Any]:
    notes = [Note(text=f"note {number}") for number in range(5)]
    session.add_all(notes)
    session.commit()
    return [len(note.remarks) for note in notes]  # <touch>
