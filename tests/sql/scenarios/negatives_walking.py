"""Walks over relations that no loader option would make cheaper. All must stay silent."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from pitstop import count_queries
from tests.sql.scenarios.models import Author, Circle, Comment, Node, Post
from tests.sql.scenarios.record import Scenario, make_negative

SCENARIOS: list[Scenario] = []
negative = make_negative(SCENARIOS)


@negative()
def one_lazy_load(session: Session, options: Any = ()) -> Any:
    author = session.scalars(select(Author).where(Author.id == 1)).one()
    assert len(author.posts) == 3


@negative()
def one_lazy_load_of_many_parents(session: Session, options: Any = ()) -> Any:
    authors = session.scalars(select(Author).order_by(Author.id)).all()
    assert len(authors[0].posts) == 3


@negative()
def first_with_an_early_stop(session: Session, options: Any = ()) -> Any:
    for author in session.scalars(select(Author).order_by(Author.id)).all():
        if author.posts:
            break


@negative()
def two_objects_on_two_lines(session: Session, options: Any = ()) -> Any:
    buyer = session.get_one(Author, 1)
    seller = session.get_one(Author, 2)
    bought = [post.title for post in buyer.posts]
    sold = [post.title for post in seller.posts]
    assert bought != sold


@negative()
def two_selects_on_two_lines(session: Session, options: Any = ()) -> Any:
    first = session.scalars(select(Author).where(Author.id == 1)).one()
    second = session.scalars(select(Author).where(Author.id == 2)).one()
    assert len(first.posts) == 3
    assert len(second.posts) == 3


@negative()
def two_objects_of_one_result_on_two_lines(session: Session, options: Any = ()) -> Any:
    first, second = session.scalars(select(Author).order_by(Author.id).limit(2)).all()
    assert len(first.posts) == 3
    assert len(second.posts) == 3


@negative()
def different_relations_of_one_object(session: Session, options: Any = ()) -> Any:
    author = session.scalars(select(Author).where(Author.id == 1)).one()
    for name in ("posts", "profile", "circles", "published"):
        assert getattr(author, name)


@negative()
def different_columns_of_one_object(session: Session, options: Any = ()) -> Any:
    author = session.scalars(select(Author).where(Author.id == 1)).one()
    assert (author.biography, author.photo, author.voice) == ("b", "p", "v")


@negative()
def many_to_one_from_the_identity_map(session: Session, options: Any = ()) -> Any:
    authors = session.scalars(select(Author)).all()
    posts = session.scalars(select(Post)).all()
    assert {post.author for post in posts} == set(authors)


@negative()
def many_to_one_with_one_target(session: Session, options: Any = ()) -> Any:
    posts = session.scalars(select(Post).where(Post.author_id == 1)).all()
    assert {post.author.name for post in posts} == {"author 1"}


@negative()
def up_the_chain_of_parents(session: Session, options: Any = ()) -> Any:
    node: Node | None = session.scalars(select(Node).where(Node.id == 10)).one()
    names = []
    while node is not None:
        names.append(node.name)
        node = node.parent
    assert names == ["node 10", "node 4", "node 1"]


def _path(node: Node) -> str:
    return node.name if node.parent is None else f"{_path(node.parent)} / {node.name}"


@negative()
def up_the_chain_by_recursion(session: Session, options: Any = ()) -> Any:
    assert _path(session.get_one(Node, 10)) == "node 1 / node 4 / node 10"


@negative()
def down_a_single_line(session: Session, options: Any = ()) -> Any:
    node = session.get_one(Node, 1)
    while node.children:
        node = node.children[0]
    assert node.name == "node 5"


@negative()
def write_only_collection_once(session: Session, options: Any = ()) -> Any:
    author = session.get_one(Author, 1)
    assert [post.title for post in session.scalars(author.stream.select())]


@negative()
def children_with_the_parent_known(session: Session, options: Any = ()) -> Any:
    author = session.get_one(Author, 1)
    assert all(post.author is author for post in author.posts)


@negative()
def two_blocks_with_a_load_each(session: Session, options: Any = ()) -> Any:
    for number in (1, 2):
        with count_queries(session) as queries:
            assert session.scalars(select(Author).where(Author.id == number)).one().posts
        assert queries.count == 2
        assert queries.n_plus_one == []


@negative()
def new_objects_without_a_database(session: Session, options: Any = ()) -> Any:
    authors = [Author(id=n, name=f"new {n}") for n in range(901, 906)]
    assert [author.posts for author in authors] == [[]] * 5


@negative()
def one_aggregate_then_its_parts(session: Session, options: Any = ()) -> Any:
    circle = session.scalars(
        select(Circle).where(Circle.id == 1).options(joinedload(Circle.members))
    ).unique()
    assert circle.one().members[0].profile.motto


@negative()
def nested_walk_of_one_of_each(session: Session, options: Any = ()) -> Any:
    comment = session.scalars(select(Comment).where(Comment.id == 1)).one()
    assert comment.post.author.profile.motto
    assert comment.writer.name
