"""Reads that repeat for a reason: pages, chunks, polls, ranges, eager loads. All must stay silent."""

from typing import Any

from sqlalchemy import Select, exists, func, select
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import (
    Session,
    contains_eager,
    immediateload,
    joinedload,
    raiseload,
    selectinload,
    subqueryload,
    undefer,
)

from tests.sql.scenarios.models import (
    Album,
    Author,
    Circle,
    Comment,
    Company,
    Employee,
    Good,
    Node,
    Note,
    Parcel,
    Post,
    Profile,
    Stop,
    Tag,
)
from tests.sql.scenarios.record import Scenario, make_negative

SCENARIOS: list[Scenario] = []
negative = make_negative(SCENARIOS)


@negative()
def selectinload_in_chunks(session: Session, options: Any = ()) -> Any:
    parcels = session.scalars(select(Parcel).options(selectinload(Parcel.stops))).all()
    assert sum(len(parcel.stops) for parcel in parcels) == 1100


@negative()
def selectinload_to_one_in_chunks(session: Session, options: Any = ()) -> Any:
    stops = session.scalars(select(Stop).options(selectinload(Stop.parcel))).all()
    assert all(stop.parcel.id == stop.parcel_id for stop in stops)


@negative()
def selectinload_while_streaming(session: Session, options: Any = ()) -> Any:
    statement = select(Parcel).options(selectinload(Parcel.stops)).execution_options(yield_per=100)
    assert sum(len(parcel.stops) for parcel in session.scalars(statement)) == 1100


@negative()
def subqueryload_nested(session: Session, options: Any = ()) -> Any:
    statement = select(Author).options(subqueryload(Author.posts).subqueryload(Post.comments))
    for author in session.scalars(statement):
        for post in author.posts:
            assert post.comments


@negative()
def joinedload_of_two(session: Session, options: Any = ()) -> Any:
    statement = select(Author).options(
        joinedload(Author.posts).joinedload(Post.tags), joinedload(Author.profile)
    )
    for author in session.scalars(statement).unique():
        assert author.profile.motto
        assert all(post.tags for post in author.posts)


@negative()
def selectinload_polymorphic(session: Session, options: Any = ()) -> Any:
    statement = select(Company).options(selectinload(Company.employees).selectinload(Employee.badges))
    for company in session.scalars(statement):
        assert all(employee.badges for employee in company.employees)


@negative()
def contains_eager_walked(session: Session, options: Any = ()) -> Any:
    statement = select(Post).join(Post.author).options(contains_eager(Post.author))
    assert [post.author.name for post in session.scalars(statement)]


@negative()
def recursive_selectinload(session: Session, options: Any = ()) -> Any:
    statement = select(Node).where(Node.parent_id.is_(None))
    root = session.scalars(statement.options(selectinload(Node.children, recursion_depth=3))).one()
    assert [len(child.children) for child in root.children] == [2, 2, 2]


@negative()
def eager_defaults_of_the_model(session: Session, options: Any = ()) -> Any:
    for good in session.scalars(select(Good)).unique():
        assert good.prices
        assert good.labels
        assert good.stickers


@negative()
def eagerly_loaded_then_touched_again(session: Session, options: Any = ()) -> Any:
    authors = session.scalars(select(Author).options(selectinload(Author.posts))).all()
    for _ in range(5):
        assert sum(len(author.posts) for author in authors) == 18


@negative()
def undeferred_column(session: Session, options: Any = ()) -> Any:
    assert [author.biography for author in session.scalars(select(Author).options(undefer(Author.biography)))]


@negative()
def raiseload_respected(session: Session, options: Any = ()) -> Any:
    for author in session.scalars(select(Author).options(raiseload(Author.posts))):
        try:
            print(author.posts)
        except InvalidRequestError:
            continue
        raise AssertionError("raiseload did not raise")


@negative()
def polled_with_the_same_parameters(session: Session, options: Any = ()) -> Any:
    for _ in range(8):
        session.scalar(select(func.count()).where(Note.state == "ready"))


@negative()
def polled_by_refresh(session: Session, options: Any = ()) -> Any:
    author = session.get_one(Author, 1)
    for _ in range(6):
        session.refresh(author)


@negative()
def polled_after_expiry(session: Session, options: Any = ()) -> Any:
    author = session.get_one(Author, 1)
    for _ in range(6):
        session.expire(author)
        assert author.name


@negative()
def polled_collection(session: Session, options: Any = ()) -> Any:
    author = session.get_one(Author, 1)
    for _ in range(6):
        session.expire(author, ["posts"])
        assert len(author.posts) == 3


def _author(session: Session, number: int) -> Author | None:
    return session.scalars(select(Author).where(Author.id == number)).one_or_none()


@negative()
def helper_from_many_lines(session: Session, options: Any = ()) -> Any:
    writer = _author(session, 1)
    editor = _author(session, 2)
    reader = _author(session, 3)
    critic = _author(session, 4)
    assert writer is not editor
    assert reader is not critic


@negative()
def get_of_several_on_several_lines(session: Session, options: Any = ()) -> Any:
    assert session.get(Author, 1)
    assert session.get(Author, 2)
    assert session.get(Author, 3)
    assert session.get(Author, 4)


@negative()
def get_of_the_same_twice(session: Session, options: Any = ()) -> Any:
    for _ in range(2):
        session.expunge_all()
        assert session.get(Author, 1)


@negative()
def the_same_object_many_times(session: Session, options: Any = ()) -> Any:
    for _ in range(5):
        session.expunge_all()
        assert _author(session, 1)


@negative()
def existence_checked_once(session: Session, options: Any = ()) -> Any:
    assert session.scalar(select(exists().where(Author.name == "author 1")))
    assert not session.scalar(select(exists().where(Author.name == "author 99")))


@negative()
def different_statements_in_a_loop(session: Session, options: Any = ()) -> Any:
    for entity in (Author, Post, Comment, Tag, Circle, Album, Node):
        assert session.scalar(select(func.count()).select_from(entity))


@negative()
def different_filters_in_a_loop(session: Session, options: Any = ()) -> Any:
    for condition in (Post.id == 1, Post.title == "post 2", Post.author_id == 3, Post.public.is_(False)):
        assert session.scalars(select(Post).where(condition)).first()


def _page(statement: Select[Any], session: Session) -> list[Any]:
    total = session.scalar(select(func.count()).select_from(statement.subquery()))
    assert total
    return list(session.scalars(statement.limit(5)))


@negative()
def generic_pages_of_different_things(session: Session, options: Any = ()) -> Any:
    for statement in (select(Author), select(Post), select(Comment), select(Tag)):
        assert _page(statement, session)


@negative()
def no_statements(session: Session, options: Any = ()) -> Any:
    assert select(Author).where(Author.id == 1) is not None


@negative()
def one_parameter_set_twice_another_once(session: Session, options: Any = ()) -> Any:
    for number in (1, 2, 1, 2):
        session.scalar(select(func.count()).where(Post.author_id == number))


@negative()
def immediateload_of_one(session: Session, options: Any = ()) -> Any:
    profile = session.scalars(select(Profile).limit(1).options(immediateload(Profile.author))).one()
    assert profile.author.name


@negative()
def two_rounds_by_hand(session: Session, options: Any = ()) -> Any:
    for number in (1, 2):
        assert session.scalar(select(Author.name).where(Author.id == number))
