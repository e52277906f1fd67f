"""N+1s of several relations at once, and of options that are there already."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import (
    Session,
    defaultload,
    joinedload,
    lazyload,
    selectinload,
    undefer,
    undefer_group,
)

from tests.sql.scenarios.models import Author, Comment, Company, Engineer, Node, Post
from tests.sql.scenarios.record import COLUMN, Expect, Scenario, make_positive

SCENARIOS: list[Scenario] = []
positive = make_positive(SCENARIOS)


@positive(
    Expect("Post", "author", 6),
    Expect("Author", "posts", 6),
    cured=2,
    reference=lambda: [joinedload(Post.author).selectinload(Author.posts)],
)
def there_and_back(session: Session, options: Any = ()) -> list[Any]:
    posts = session.scalars(select(Post).order_by(Post.id).options(*options)).all()  # <query>
    return [[other.title for other in post.author.posts] for post in posts]  # <touch>


@positive(
    Expect("Post", "tags", 18),
    Expect("Post", "author", 6, touch="other"),
    Expect("Author", "profile", 6, touch="other"),
    cured=2,
    reference=lambda: [selectinload(Post.tags), joinedload(Post.author).joinedload(Author.profile)],
)
def collection_beside_nested_to_one(session: Session, options: Any = ()) -> list[Any]:
    result = []
    for post in session.scalars(select(Post).order_by(Post.id).options(*options)):  # <query>
        tags = len(post.tags)  # <touch>
        result.append((tags, post.author.profile.motto))  # <other>
    return result


@positive(
    Expect("Comment", "writer", 6),
    Expect("Comment", "post", 18, touch="other"),
    cured=1,
    reference=lambda: [joinedload(Comment.writer), joinedload(Comment.post).joinedload(Post.author)],
)
def two_ways_to_one_class(session: Session, options: Any = ()) -> list[Any]:
    comments = session.scalars(select(Comment).order_by(Comment.id).options(*options)).all()  # <query>
    writers = [comment.writer.name for comment in comments]  # <touch>
    return writers + [comment.post.author.name for comment in comments]  # <other>


@positive(Expect("Node", "parent", 3), cured=1, reference=lambda: [joinedload(Node.parent)])
def self_referential_to_one(session: Session, options: Any = ()) -> list[Any]:
    statement = select(Node).where(Node.id > 4).order_by(Node.id).options(*options)
    return [node.parent.name for node in session.scalars(statement) if node.parent]  # <query> <touch>


@positive(
    Expect("Engineer", "tasks", 5),
    cured=3,
    reference=lambda: [
        defaultload(Company.employees.of_type(Engineer)).selectinload(Engineer.tasks)  # type: ignore[arg-type]
    ],
)
def subclass_relation_below_selectinload(session: Session, options: Any = ()) -> list[Any]:
    statement = select(Company).order_by(Company.id).options(selectinload(Company.employees), *options)
    companies = session.scalars(statement).all()  # <query>
    everyone = [employee for company in companies for employee in company.employees]
    return [len(each.tasks) for each in everyone if isinstance(each, Engineer)]  # <touch>


@positive(
    Expect("Company", "employees", 2),
    Expect("Engineer", "language", 5, kinds=COLUMN, touch="other"),
    cured=3,
    reference=lambda: [selectinload(Company.employees).selectin_polymorphic([Engineer])],
)
def subclass_columns_below_a_relation(session: Session, options: Any = ()) -> list[Any]:
    companies = session.scalars(select(Company).order_by(Company.id).options(*options)).all()  # <query>
    everyone = [employee for company in companies for employee in company.employees]  # <touch>
    return [each.language for each in everyone if isinstance(each, Engineer)]  # <other>


@positive(
    Expect("Author", "biography", 6, kinds=COLUMN),
    Expect("Author", "", 6, kinds=COLUMN),
    cured=1,
    reference=lambda: [undefer(Author.biography), undefer_group("media")],
)
def two_deferred_columns_on_one_line(session: Session, options: Any = ()) -> list[Any]:
    authors = session.scalars(select(Author).order_by(Author.id).options(*options)).all()  # <query>
    return [(author.biography, author.photo) for author in authors]  # <touch>


@positive(Expect("Author", "posts", 6, curable=False))
def asked_to_be_lazy(session: Session, options: Any = ()) -> list[Any]:
    statement = select(Author).order_by(Author.id).options(lazyload(Author.posts), *options)
    authors = session.scalars(statement).all()  # <query>
    return [len(author.posts) for author in authors]  # <touch>


@positive(
    Expect("Node", "children", 9),
    cured=4,
    reference=lambda: [defaultload(Node.children).selectinload(Node.children, recursion_depth=-1)],
)
def deeper_than_the_query_says(session: Session, options: Any = ()) -> list[Any]:
    def names(node: Node) -> list[Any]:
        return [node.name, *(names(child) for child in node.children)]  # <touch>

    statement = select(Node).where(Node.parent_id.is_(None))
    root = session.scalars(statement.options(selectinload(Node.children), *options)).one()  # <query>
    return names(root)
