"""The shapes of relation: a query, a walk over its rows, and how many statements each way takes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import (
    Session,
    aliased,
    contains_eager,
    defaultload,
    defer,
    joinedload,
    lazyload,
    load_only,
    selectin_polymorphic,
    selectinload,
    subqueryload,
    with_loader_criteria,
    with_polymorphic,
)

from tests.sql.peers.models import Beast, Person, Song, Task
from tests.sql.scenarios.models import (
    Album,
    Author,
    Circle,
    Comment,
    Company,
    Depot,
    Employee,
    Engineer,
    Manager,
    Node,
    Parcel,
    Post,
    Profile,
    Shelf,
    Shop,
    Vehicle,
)
from tests.sql.scenarios.sqlmodels import Hero, Team

Walk = Callable[[Session], Any]


@dataclass(frozen=True)
class Shape:
    """One shape.

    Attributes:
        name: of the test.
        walk: reads, and gives what it has read.
        lazily: statements without peer loading.
        together: statements with it.
        complete: whether no loads row by row are left then.
    """

    name: str
    walk: Walk
    lazily: int
    together: int
    complete: bool = True


def reading(statement: Any, *names: str) -> Walk:
    """Reads attributes of each row in turn."""

    def walk(session: Session) -> Any:
        rows = session.scalars(statement).unique().all()
        return [[getattr(row, name) for name in names] for row in rows]

    return walk


def chain(statement: Any, *names: str) -> Walk:
    """Reads an attribute of each row, an attribute of each instance found there, and so on."""

    def follow(instance: Any, rest: tuple[str, ...]) -> Any:
        if not rest or instance is None:
            return instance
        found = getattr(instance, rest[0])
        if found is None or hasattr(found, "_sa_instance_state"):
            return [follow(found, rest[1:])]
        each_found = sorted(found, key=lambda each: each.id) if isinstance(found, set) else found
        return [follow(each, rest[1:]) for each in each_found]

    def walk(session: Session) -> Any:
        return [follow(row, names) for row in session.scalars(statement).unique().all()]

    return walk


def _tuple_rows(session: Session) -> Any:
    rows = session.execute(select(Post, Author).join(Post.author).order_by(Post.id)).all()
    return [(post.comments, author.profile, post.author) for post, author in rows]


def _aliases(session: Session) -> Any:
    one, other = aliased(Author), aliased(Author)
    rows = session.execute(select(one, other).where(one.id == other.id - 1).order_by(one.id)).all()
    return [(each.profile, following.circles) for each, following in rows]


def _streamed(session: Session) -> Any:
    found = session.scalars(select(Author).order_by(Author.id).execution_options(yield_per=3))
    return [(author, author.posts) for author in found]


def _columns_of_staff(session: Session) -> Any:
    staff = session.scalars(select(Employee).order_by(Employee.id)).all()
    return [
        each.language if isinstance(each, Engineer) else each.budget if isinstance(each, Manager) else None
        for each in staff
    ]


def _tasks_of_staff(session: Session) -> Any:
    staff = session.scalars(select(Employee).order_by(Employee.id)).all()
    return [each.tasks if isinstance(each, Engineer) else each.badges for each in staff]


def _polymorphic(session: Session) -> Any:
    staff = with_polymorphic(Employee, [Engineer, Manager])
    found = session.scalars(select(staff).order_by(staff.id)).all()
    return [(each.company, each.tasks if isinstance(each, Engineer) else each.badges) for each in found]


def _expired(session: Session) -> Any:
    authors = session.scalars(select(Author).order_by(Author.id)).all()
    session.expire_all()
    return [(author.name, author.posts) for author in authors]


def _committed(session: Session) -> Any:
    authors = session.scalars(select(Author).order_by(Author.id)).all()
    first = [author.posts for author in authors]
    session.commit()
    return [first, [author.posts for author in authors]]


def _in_disorder(session: Session) -> Any:
    posts = session.scalars(select(Post).order_by(Post.id)).all()
    return [(post, post.comments) for post in (*posts[9::-2], *posts[9:], *posts)]


def _refused(session: Session) -> Any:
    statement = select(Author).options(lazyload(Author.posts.and_(Post.public.is_(True))))
    return [author.posts for author in session.scalars(statement.order_by(Author.id))]


def _two_queries(session: Session) -> Any:
    some = session.scalars(select(Post).where(Post.id < 4).order_by(Post.id)).all()
    every = session.scalars(select(Post).where(Post.id < 8).order_by(Post.id)).all()
    return [(post, post.comments) for post in (*some, *every)]


def _loose_dictionary(session: Session) -> Any:
    return [sorted(album.by_title.items()) for album in session.scalars(select(Album).order_by(Album.id))]


AUTHORS = select(Author).order_by(Author.id)
POSTS = select(Post).order_by(Post.id)
PEOPLE = select(Person).order_by(Person.id)
CRITERIA = with_loader_criteria(Post, Post.public.is_(True))

SHAPES = (
    Shape("one to many", reading(AUTHORS, "posts"), 7, 2),
    Shape("many to one", reading(POSTS, "author"), 7, 2),
    Shape(
        "many to one in the session",
        lambda s: [*reading(AUTHORS, "name")(s), *reading(POSTS, "author")(s)],
        8,
        3,
    ),
    Shape(
        "many to one, partly in the session", lambda s: [s.get(Author, 2), reading(POSTS, "author")(s)], 7, 3
    ),
    Shape("many to many", reading(AUTHORS, "circles"), 7, 2),
    Shape("many to many, other side", reading(select(Circle).order_by(Circle.id), "members"), 4, 2),
    Shape("set", reading(POSTS, "tags"), 19, 2),
    Shape("dictionary", _loose_dictionary, 5, 2),
    Shape("ordering list", reading(select(Album).order_by(Album.id), "tracks"), 5, 2),
    Shape("one to one", reading(AUTHORS, "profile"), 7, 2),
    Shape("one to one, other side", reading(select(Profile).order_by(Profile.id), "author"), 7, 2),
    Shape("association proxy", lambda s: [list(a.post_titles) for a in s.scalars(AUTHORS)], 7, 2),
    Shape("property", reading(AUTHORS, "headline"), 7, 2),
    Shape("custom join", reading(AUTHORS, "published"), 7, 2),
    Shape("tree down", reading(select(Node).order_by(Node.id), "children"), 11, 2),
    Shape(
        "tree down, by levels",
        chain(select(Node).where(Node.id == 1), "children", "children", "children"),
        11,
        4,
    ),
    Shape("tree up", reading(select(Node).where(Node.id > 4).order_by(Node.id), "parent"), 4, 2),
    Shape("composite key", reading(select(Depot).order_by(Depot.country, Depot.code), "shelves"), 5, 2),
    Shape("composite key, many to one", reading(select(Shelf).order_by(Shelf.id), "depot"), 5, 2),
    Shape("subclass relation", _tasks_of_staff, 9, 3),
    Shape("polymorphic alias", _polymorphic, 11, 4),
    Shape("subclass columns", _columns_of_staff, 9, 3),
    Shape("subclass below", chain(select(Company).order_by(Company.id), "employees", "badges"), 11, 3),
    Shape("single table", lambda s: [getattr(v, "wheels", 0) for v in s.scalars(select(Vehicle))], 5, 2),
    Shape(
        "selected subclasses",
        reading(select(Employee).options(selectin_polymorphic(Employee, [Engineer])), "badges"),
        10,
        3,
    ),
    Shape("three levels", chain(AUTHORS, "posts", "comments", "writer"), 25, 3),
    Shape("four levels", chain(AUTHORS, "posts", "comments", "post", "tags"), 43, 4),
    Shape("below joined", chain(AUTHORS.options(joinedload(Author.posts)), "posts", "comments"), 19, 2),
    Shape("below selectin", chain(AUTHORS.options(selectinload(Author.posts)), "posts", "comments"), 20, 3),
    Shape("below subquery", chain(AUTHORS.options(subqueryload(Author.posts)), "posts", "comments"), 20, 3),
    Shape(
        "below contains_eager",
        chain(
            select(Author)
            .join(Author.posts)
            .options(contains_eager(Author.posts))
            .order_by(Author.id, Post.id),
            "posts",
            "tags",
        ),
        19,
        2,
    ),
    Shape(
        "option below",
        chain(AUTHORS.options(defaultload(Author.posts).selectinload(Post.comments)), "posts", "comments"),
        13,
        3,
    ),
    Shape(
        "joined option below",
        chain(AUTHORS.options(defaultload(Author.posts).joinedload(Post.comments)), "posts", "comments"),
        7,
        2,
    ),
    Shape(
        "eager relations of the target",
        chain(select(Shop).order_by(Shop.id), "goods", "prices", "currency"),
        17,
        5,
    ),
    Shape("loader criteria", reading(AUTHORS.options(CRITERIA), "posts"), 7, 2),
    Shape(
        "loader criteria below",
        chain(select(Circle).order_by(Circle.id).options(CRITERIA), "members", "posts"),
        10,
        3,
    ),
    Shape("criteria of the option", _refused, 7, 7),
    Shape("tuple rows", _tuple_rows, 25, 3),
    Shape("tuple of aliases", _aliases, 11, 4),
    Shape("legacy query", lambda s: [(a, a.posts) for a in s.query(Author).order_by(Author.id)], 7, 2),
    Shape("streamed", _streamed, 7, 3),
    Shape("in disorder", _in_disorder, 19, 2),
    Shape("two queries", _two_queries, 9, 4),
    Shape("deferred column", reading(AUTHORS, "biography"), 7, 2),
    Shape("deferred group", reading(AUTHORS, "photo", "voice"), 7, 2),
    Shape("column property", reading(AUTHORS, "post_count"), 7, 2),
    Shape("deferred by the query", reading(AUTHORS.options(defer(Author.name)), "name"), 7, 2),
    Shape(
        "left out by the query", reading(POSTS.options(load_only(Post.title)), "public", "author_id"), 37, 3
    ),
    Shape("deferred column below", chain(POSTS, "author", "biography"), 13, 3),
    Shape("deferred column of several classes", reading(select(Beast).order_by(Beast.id), "sound"), 13, 4),
    Shape("expired", _expired, 13, 3),
    Shape("after a commit", _committed, 19, 4),
    Shape("many", reading(select(Parcel).order_by(Parcel.id), "stops"), 1101, 4),
    Shape("active history", reading(PEOPLE, "favourite"), 4, 2),
    Shape("deferred key", reading(PEOPLE, "secret"), 11, 6, complete=False),
    Shape("twice in the secondary", reading(PEOPLE, "liked"), 7, 2),
    Shape("many to many with itself", reading(PEOPLE, "friends", "friend_of"), 13, 3),
    Shape("subquery in the join", reading(PEOPLE, "first_task"), 7, 2),
    Shape("no foreign key", reading(PEOPLE, "neighbours"), 7, 2),
    Shape("delete-orphan", reading(PEOPLE, "tasks"), 7, 2),
    Shape("not hashable", reading(select(Song).order_by(Song.id), "title"), 1, 1),
    Shape("nullable many to one", reading(select(Task).order_by(Task.id), "person"), 6, 2),
    Shape("sqlmodel", chain(select(Team).order_by(Team.id), "heroes", "team"), 4, 2),
    Shape("sqlmodel, many to one", reading(select(Hero).order_by(Hero.id), "team"), 4, 2),
    Shape("one row", reading(select(Author).where(Author.id == 1), "posts", "profile"), 3, 3),
    Shape("got", lambda s: [s.get(Author, n).posts for n in range(1, 7)], 12, 12),
    Shape("comments first", chain(select(Comment).order_by(Comment.id), "post", "author", "profile"), 31, 4),
)
