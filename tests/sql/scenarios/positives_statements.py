"""N+1s written by hand: one statement in a loop, in every style that SQLAlchemy has."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy import bindparam, exists, func, lambda_stmt, select, text, update
from sqlalchemy.orm import Session

from tests.sql.scenarios.models import Author, Node, Note, Post, post_tag
from tests.sql.scenarios.record import REPEATED, Expect, Scenario, make_positive

SCENARIOS: list[Scenario] = []
positive = make_positive(SCENARIOS)
SIX_TIMES = Expect("", "", (5, 6), kinds=REPEATED, query="", curable=False)
IDS = range(1, 7)


def _posts_of(session: Session, author_id: int) -> int:
    return len(session.scalars(select(Post).where(Post.author_id == author_id)).all())  # <touch>


class PostRepository:
    """The one place that knows how posts are found."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def of_author(self, author_id: int) -> list[str]:
        statement = select(Post.title).where(Post.author_id == author_id).order_by(Post.id)
        return list(self.session.scalars(statement))  # <touch>


@positive(SIX_TIMES)
def orm_select_in_a_loop(session: Session, options: Any = ()) -> list[Any]:
    result = []
    for author in session.scalars(select(Author).order_by(Author.id)).all():
        posts = session.scalars(select(Post).where(Post.author_id == author.id))  # <touch>
        result.append(len(posts.all()))
    return result


@positive(SIX_TIMES, helpers=(_posts_of,))
def helper_in_a_loop(session: Session, options: Any = ()) -> list[Any]:
    return [_posts_of(session, number) for number in IDS]


@positive(SIX_TIMES, helpers=(PostRepository,))
def repository_in_a_loop(session: Session, options: Any = ()) -> list[Any]:
    posts = PostRepository(session)
    result = []
    for number in IDS:
        result.append(posts.of_author(number))
    return result


@positive(SIX_TIMES, helpers=(PostRepository,))
def repository_mapped(session: Session, options: Any = ()) -> list[Any]:
    return list(map(PostRepository(session).of_author, IDS))


@positive(SIX_TIMES)
def get_in_a_loop(session: Session, options: Any = ()) -> list[Any]:
    names = []
    for number in IDS:
        author = session.get(Author, number)  # <touch>
        names.append(author and author.name)
    return names


@positive(SIX_TIMES)
def legacy_query_first(session: Session, options: Any = ()) -> list[Any]:
    result = []
    for number in IDS:
        post = session.query(Post).filter_by(author_id=number).order_by(Post.id).first()  # <touch>
        result.append(post and post.title)
    return result


@positive(SIX_TIMES)
def legacy_query_count(session: Session, options: Any = ()) -> list[Any]:
    return [session.query(Post).filter(Post.author_id == number).count() for number in IDS]  # <touch>


@positive(SIX_TIMES)
def scalar_count_per_row(session: Session, options: Any = ()) -> list[Any]:
    result = []
    for author in session.scalars(select(Author).order_by(Author.id)).all():
        count = session.scalar(select(func.count()).where(Post.author_id == author.id))  # <touch>
        result.append((author.name, count))
    return result


@positive(SIX_TIMES)
def exists_per_row(session: Session, options: Any = ()) -> list[Any]:
    result = []
    for number in IDS:
        wanted = select(exists().where(Post.author_id == number, Post.public.is_(True)))
        found = session.scalar(wanted)  # <touch>
        result.append(bool(found))
    return result


@positive(SIX_TIMES)
def latest_of_each(session: Session, options: Any = ()) -> list[Any]:
    result = []
    for number in IDS:
        latest = select(Post.title).where(Post.author_id == number).order_by(Post.id.desc()).limit(1)
        result.append(session.execute(latest).scalar_one())  # <touch>
    return result


@positive(SIX_TIMES)
def core_statement_in_a_loop(session: Session, options: Any = ()) -> list[Any]:
    connection = session.connection()
    result = []
    for number in IDS:
        rows = connection.execute(select(post_tag.c.tag_id).where(post_tag.c.post_id == number))  # <touch>
        result.append(sorted(row.tag_id for row in rows))
    return result


@positive(SIX_TIMES)
def text_in_a_loop(session: Session, options: Any = ()) -> list[Any]:
    statement = text("SELECT count(*) FROM post WHERE author_id = :author")
    result = []
    for number in IDS:
        result.append(session.execute(statement, {"author": number}).scalar_one())  # <touch>
    return result


@positive(SIX_TIMES)
def literals_in_the_text(session: Session, options: Any = ()) -> list[Any]:
    result = []
    for number in IDS:
        statement = text(f"SELECT count(*) FROM post WHERE author_id = {number}")
        result.append(session.execute(statement).scalar_one())  # <touch>
    return result


@positive(SIX_TIMES)
def two_parameters_one_constant(session: Session, options: Any = ()) -> list[Any]:
    result = []
    for number in IDS:
        wanted = select(Post.id).where(Post.author_id == number, Post.public.is_(True)).limit(10)
        result.append(sorted(session.scalars(wanted)))  # <touch>
    return result


@positive(SIX_TIMES)
def prepared_once_executed_often(session: Session, options: Any = ()) -> list[Any]:
    statement = select(Post.id).where(Post.author_id == bindparam("author")).order_by(Post.id)
    return [session.scalars(statement, {"author": number}).all() for number in IDS]  # <touch>


@positive(SIX_TIMES)
def lambda_statement(session: Session, options: Any = ()) -> list[Any]:
    result = []
    for number in IDS:
        statement = lambda_stmt(lambda: select(Post.id).where(Post.author_id == number))  # noqa: B023
        result.append(sorted(session.scalars(statement)))  # <touch>
    return result


@positive(SIX_TIMES)
def write_only_collection_of_each(session: Session, options: Any = ()) -> list[Any]:
    result = []
    for author in session.scalars(select(Author).order_by(Author.id)).all():
        result.append(len(session.scalars(author.stream.select()).all()))  # <touch>
    return result


@positive(SIX_TIMES)
def while_loop_over_ids(session: Session, options: Any = ()) -> list[Any]:
    waiting, result = list(IDS), []
    while waiting:
        number = waiting.pop()
        result.append(session.scalar(select(Author.name).where(Author.id == number)))  # <touch>
    return result


@positive(Expect("", "", (3, 4, 6, 7, 8, 9, 10), kinds=REPEATED, query="", curable=False))
def tree_by_hand(session: Session, options: Any = ()) -> list[Any]:
    result, waiting = [], [1]
    while waiting:
        found = session.scalars(select(Node.id).where(Node.parent_id == waiting.pop())).all()  # <touch>
        waiting.extend(found)
        result.extend(sorted(found))
    return result


@positive(SIX_TIMES)
def look_up_before_each_write(session: Session, options: Any = ()) -> list[Any]:
    for number in IDS:
        name = session.scalar(select(Author.name).where(Author.id == number))  # <touch>
        session.execute(update(Note).where(Note.id == 9_000_000).values(text=name))
    session.rollback()
    return []


@positive(SIX_TIMES, mode="sync")
def session_each_in_a_pool_of_threads(session: Session, options: Any = ()) -> list[Any]:
    engine = session.get_bind()

    def titles(number: int) -> list[str]:
        with Session(engine) as own:
            return list(own.scalars(select(Post.title).where(Post.author_id == number)))  # <touch>

    with ThreadPoolExecutor(2) as pool:
        return [sorted(each) for each in pool.map(titles, IDS)]


@positive(
    SIX_TIMES,
    Expect("", "", (5, 6), kinds=REPEATED, touch="other", query="", curable=False),
)
def two_statements_in_one_loop(session: Session, options: Any = ()) -> list[Any]:
    result = []
    for number in IDS:
        name = session.scalar(select(Author.name).where(Author.id == number))  # <touch>
        posts = session.scalar(select(func.count(Post.id)).where(Post.author_id == number))  # <other>
        result.append((name, posts))
    return result
