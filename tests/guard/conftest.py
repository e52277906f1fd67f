"""A suite of a user's own, for the tests of the plugin: a small shop, and pytest as a process of its own."""

from collections.abc import Callable

import pytest

SHOP = """
from sqlalchemy import ForeignKey, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from sqlalchemy.pool import StaticPool


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(primary_key=True)


class Book(Base):
    __tablename__ = "books"
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"))
    author: Mapped[Author] = relationship()


def fill(engine):
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all(Book(author=Author()) for number in range(4))
        session.commit()


def once(engine):
    with engine.connect() as connection:
        return connection.execute(select(Book.id)).all()


def authors(engine):
    with Session(engine) as session:
        books = session.scalars(select(Book)).all()
        return [book.author.id for book in books]
"""

CONFTEST = """
import pytest
from shop import create_engine, fill, StaticPool


@pytest.fixture(scope="session")
def engine():
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    fill(engine)
    yield engine
    engine.dispose()
"""

INI = """
[pytest]
filterwarnings =
    error
    ignore:Using `httpx`
asyncio_default_fixture_loop_scope = function
"""

HEAD = "import pytest\nfrom shop import *\n\n"

Suite = Callable[..., pytest.RunResult]


@pytest.fixture
def suite(pytester: pytest.Pytester) -> Suite:
    """Runs a test module over the shop with given options, in another process."""

    def run(source: str, *options: str, ini: str = "") -> pytest.RunResult:
        pytester.makepyfile(shop=SHOP, conftest=CONFTEST, test_shop=HEAD + source)
        pytester.makefile(".ini", pytest=INI + ini)
        return pytester.runpytest_subprocess(
            "-p", "no:cacheprovider", "-p", "no:locust", *options, timeout=60
        )

    return run
