"""N+1s by where the relation hangs: nested, below eager loads, in rows of several entities."""

from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import (
    Session,
    aliased,
    contains_eager,
    defaultload,
    joinedload,
    selectinload,
    with_loader_criteria,
)

from tests.sql.scenarios.models import Author, Circle, Comment, Good, Invoice, Parcel, Post, Price, Shop
from tests.sql.scenarios.record import LAZY, REPEATED, Expect, Scenario, make_positive

SCENARIOS: list[Scenario] = []
positive = make_positive(SCENARIOS)


@positive(
    Expect("Author", "posts", 6),
    Expect("Post", "comments", 18, touch="inner"),
    cured=3,
    reference=lambda: [selectinload(Author.posts).selectinload(Post.comments)],
)
def nested_two_levels(session: Session, options: Any = ()) -> list[Any]:
    authors = session.scalars(select(Author).order_by(Author.id).options(*options)).all()  # <query>
    result = []
    for author in authors:
        for post in author.posts:  # <touch>
            result.append([comment.text for comment in post.comments])  # <inner>
    return result


@positive(
    Expect("Circle", "members", 3),
    Expect("Author", "posts", 6, touch="middle"),
    Expect("Post", "comments", 18, touch="inner"),
    cured=4,
    reference=lambda: [selectinload(Circle.members).selectinload(Author.posts).selectinload(Post.comments)],
)
def nested_three_levels(session: Session, options: Any = ()) -> list[Any]:
    result = []
    for circle in session.scalars(select(Circle).order_by(Circle.id).options(*options)):  # <query>
        for author in circle.members:  # <touch>
            for post in author.posts:  # <middle>
                for comment in post.comments:  # <inner>
                    result.append(comment.text)
    return result


@positive(
    Expect("Comment", "post", 18),
    Expect("Post", "author", 6, touch="touch"),
    cured=1,
    reference=lambda: [joinedload(Comment.post).joinedload(Post.author)],
)
def nested_to_one(session: Session, options: Any = ()) -> list[Any]:
    comments = session.scalars(select(Comment).order_by(Comment.id).options(*options)).all()  # <query>
    return [comment.post.author.name for comment in comments]  # <touch>


@positive(
    Expect("Post", "comments", 18),
    cured=3,
    reference=lambda: [selectinload(Author.posts).selectinload(Post.comments)],
)
def lazy_below_selectinload(session: Session, options: Any = ()) -> list[Any]:
    statement = select(Author).order_by(Author.id).options(selectinload(Author.posts), *options)
    authors = session.scalars(statement).all()  # <query>
    return [len(post.comments) for author in authors for post in author.posts]  # <touch>


@positive(
    Expect("Post", "comments", 18),
    cured=3,
    reference=lambda: [defaultload(Author.posts).selectinload(Post.comments)],
)
def lazy_below_joinedload(session: Session, options: Any = ()) -> list[Any]:
    statement = select(Author).order_by(Author.id).options(joinedload(Author.posts), *options)
    authors = session.scalars(statement).unique().all()  # <query>
    return [len(post.comments) for author in authors for post in author.posts]  # <touch>


@positive(
    Expect("Post", "comments", 12),
    cured=2,
    reference=lambda: [contains_eager(Author.posts).selectinload(Post.comments)],
)
def lazy_below_contains_eager(session: Session, options: Any = ()) -> list[Any]:
    statement = (
        select(Author)
        .join(Author.posts)
        .where(Post.public.is_(True))
        .order_by(Author.id, Post.id)
        .options(contains_eager(Author.posts), *options)
    )
    authors = session.scalars(statement).unique().all()  # <query>
    return [[len(post.comments) for post in author.posts] for author in authors]  # <touch>


@positive(
    Expect("Author", "circles", 6),
    cured=2,
    reference=lambda: [joinedload(Post.author).selectinload(Author.circles)],
)
def lazy_below_joined_to_one(session: Session, options: Any = ()) -> list[Any]:
    statement = select(Post).order_by(Post.id).options(joinedload(Post.author), *options)
    posts = session.scalars(statement).all()  # <query>
    return [len(post.author.circles) for post in posts]  # <touch>


@positive(Expect("Post", "comments", 18), cured=2, reference=lambda: [selectinload(Post.comments)])
def tuple_rows(session: Session, options: Any = ()) -> list[Any]:
    statement = select(Author, Post).join(Author.posts).order_by(Post.id).options(*options)
    rows = session.execute(statement).all()  # <query>
    return [(author.name, len(post.comments)) for author, post in rows]  # <touch>


@positive(
    Expect("Author", "profile", 6),
    Expect("Post", "tags", 18, touch="other"),
    cured=2,
    reference=lambda: [joinedload(Author.profile), selectinload(Post.tags)],
)
def tuple_rows_both_sides(session: Session, options: Any = ()) -> list[Any]:
    statement = select(Author, Post).join(Author.posts).order_by(Post.id).options(*options)
    result = []
    for author, post in session.execute(statement):  # <query>
        motto = author.profile.motto  # <touch>
        result.append((motto, len(post.tags)))  # <other>
    return result


@positive(Expect("Post", "author", 6), cured=1, reference=lambda: [joinedload(Post.author)])
def entity_with_a_column(session: Session, options: Any = ()) -> list[Any]:
    rows = session.execute(select(Post.title, Post).order_by(Post.id).options(*options)).all()  # <query>
    return [(row.title, row.Post.author.name) for row in rows]  # <touch>


@positive(
    Expect("Author", "posts", 6),
    Expect("Author", "profile", 6, touch="other"),
    cured=2,
    reference=lambda: [selectinload(Author.posts), joinedload(Author.profile)],
)
def two_relations_in_one_loop(session: Session, options: Any = ()) -> list[Any]:
    authors = session.scalars(select(Author).order_by(Author.id).options(*options)).all()  # <query>
    result = []
    for author in authors:
        posts = author.posts  # <touch>
        motto = author.profile.motto  # <other>
        result.append((len(posts), motto))
    return result


@positive(
    Expect("Invoice", "lines", 5, touch="query"), cured=2, reference=lambda: [selectinload(Invoice.lines)]
)
def lazy_immediate(session: Session, options: Any = ()) -> list[Any]:
    invoices = session.scalars(select(Invoice).order_by(Invoice.id).options(*options)).all()  # <query>
    return [len(invoice.lines) for invoice in invoices]


@positive(Expect("Shop", "goods", (4, 12), kinds=LAZY), cured=4, reference=lambda: [selectinload(Shop.goods)])
def lazy_load_that_pulls_eager_loads(session: Session, options: Any = ()) -> list[Any]:
    shops = session.scalars(select(Shop).order_by(Shop.id).options(*options)).all()  # <query>
    result = []
    for shop in shops:
        goods = shop.goods  # <touch>
        result.append([(len(good.prices), len(good.labels), len(good.stickers)) for good in goods])
    return result


@positive(
    Expect("", "", (3, 4, 9, 12), kinds=REPEATED, touch="get", query="", curable=False),
    Expect("Good", "", (4, 8), kinds=REPEATED, touch="get", query="", optional=True),
)
def get_that_pulls_eager_loads(session: Session, options: Any = ()) -> list[Any]:
    return [len(session.get_one(Good, number, options=options).prices) for number in range(1, 5)]  # <get>


@positive(
    Expect("Price", "currency", 4),
    cured=3,
    reference=lambda: [defaultload(Good.prices).joinedload(Price.currency)],
)
def lazy_below_an_eager_default(session: Session, options: Any = ()) -> list[Any]:
    goods = session.scalars(select(Good).order_by(Good.id).options(*options)).unique().all()  # <query>
    return [price.currency.name for good in goods for price in good.prices]  # <touch>


@positive(
    Expect("Author", "posts", 3),
    Expect("Author", "posts", 3, query="second"),
    cured=4,
    reference=lambda: [selectinload(Author.posts)],
)
def two_results_in_one_loop(session: Session, options: Any = ()) -> list[Any]:
    statement = select(Author).order_by(Author.id).options(*options)
    early = session.scalars(statement.where(Author.id <= 3)).all()  # <query>
    late = session.scalars(statement.where(Author.id > 3)).all()  # <second>
    return [len(author.posts) for author in (*early, *late)]  # <touch>


@positive(Expect("Author", "posts", 6), cured=2, reference=lambda: [selectinload(Author.posts)])
def entities_of_a_text(session: Session, options: Any = ()) -> list[Any]:
    statement = (
        select(Author).from_statement(text("SELECT id, name FROM author ORDER BY id")).options(*options)
    )
    authors = session.scalars(statement).all()  # <query>
    return [len(author.posts) for author in authors]  # <touch>


@positive(Expect("Author", "posts", 6), cured=2, reference=lambda: [selectinload(Author.posts)])
def criteria_on_the_related_class(session: Session, options: Any = ()) -> list[Any]:
    only_public = with_loader_criteria(Post, Post.public.is_(True))
    statement = select(Author).order_by(Author.id).options(only_public, *options)
    authors = session.scalars(statement).all()  # <query>
    return [[post.id for post in author.posts] for author in authors]  # <touch>


@positive(Expect("Parcel", "stops", 400), cured=2, reference=lambda: [selectinload(Parcel.stops)])
def hundreds_of_parents(session: Session, options: Any = ()) -> int:
    statement = select(Parcel).order_by(Parcel.id).limit(400).options(*options)
    return sum(len(parcel.stops) for parcel in session.scalars(statement))  # <query> <touch>


@positive(Expect("", "", (2, 3, 5, 6), kinds=REPEATED, query="", curable=False))
def repeated_with_its_eager_loads(session: Session, options: Any = ()) -> list[Any]:
    result = []
    for number in (1, 2, 3):
        statement = select(Author).join(Author.circles).where(Circle.id == number).order_by(Author.id)
        found = session.scalars(statement.options(selectinload(Author.posts)))  # <touch>
        result.append([len(author.posts) for author in found])
    return result


@positive(Expect("Author", "posts", 6, curable=False))
def alias_of_the_entity(session: Session, options: Any = ()) -> list[Any]:
    writer = aliased(Author)
    authors = session.scalars(select(writer).order_by(writer.id)).all()  # <query>
    return [len(author.posts) for author in authors]  # <touch>
