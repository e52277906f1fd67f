"""What blocks leave behind, and what they find of the time before them."""

import gc
import subprocess
import sys
import textwrap

from sqlalchemy import Engine

from pitstop import count_queries
from tests.sql.shelves import ask


def test_nothing_piles_up(engine: Engine) -> None:
    """A hundred blocks leave as many listeners on the engine and in the process as one."""
    from sqlalchemy.event import registry

    with count_queries(engine):
        ask(engine)
    gc.collect()  # engines of other tests
    before = len(registry._key_to_collection)
    listeners = len(list(engine.dispatch.before_cursor_execute))
    for _ in range(100):
        with count_queries(engine):
            pass
    assert len(registry._key_to_collection) <= before
    assert len(list(engine.dispatch.before_cursor_execute)) == listeners


def _run(script: str) -> str:
    preamble = """
        import json
        from sqlalchemy import ForeignKey, create_engine, event, select
        from sqlalchemy.event import registry
        from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
        from sqlalchemy.pool import StaticPool

        class Base(DeclarativeBase): ...

        class Shelf(Base):
            __tablename__ = "shelf"
            id: Mapped[int] = mapped_column(primary_key=True)
            books: Mapped[list["Book"]] = relationship()

        class Book(Base):
            __tablename__ = "book"
            id: Mapped[int] = mapped_column(primary_key=True)
            shelf_id: Mapped[int] = mapped_column(ForeignKey("shelf.id"))

        engine = create_engine("sqlite://", poolclass=StaticPool)
        Base.metadata.create_all(engine)
        with Session(engine) as session:
            session.add_all([Shelf(books=[Book()]) for _ in range(4)])
            session.commit()

        def walk():
            with Session(engine) as session:
                for shelf in session.scalars(select(Shelf)):  # the query
                    len(shelf.books)  # the touch
    """
    code = textwrap.dedent(preamble) + textwrap.dedent(script)
    done = subprocess.run([sys.executable, "-W", "error", "-"], input=code, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_compiled_before_the_first_block() -> None:
    """Statements compiled before Pitstop was even imported give a finding with both lines and the cure."""
    output = _run("""
        walk()
        from pitstop import count_queries
        with count_queries(engine) as queries:
            walk()
        finding, = queries.n_plus_one
        assert queries.count == 5 and finding.count == 4
        assert (finding.parent, finding.relationship) == ("Shelf", "books")
        print(finding.cure, finding.query_location is not None, finding.location is not None)
    """)
    assert output.split() == ["selectinload(Shelf.books)", "True", "True"]


def test_cure_of_models_in_a_script() -> None:
    """The imports of a cure work for models that the script itself defines."""
    output = _run("""
        from pitstop import count_queries
        with count_queries(engine) as queries:
            walk()
        finding, = queries.n_plus_one
        names = {}
        for line in finding.imports:
            exec(line, names)
        option = eval(finding.cure, names)
        with count_queries(engine) as cured, Session(engine) as session:
            for shelf in session.scalars(select(Shelf).options(option)):
                len(shelf.books)
        print(cured.count)
    """)
    assert output.split() == ["2"]


def test_compiled_between_blocks() -> None:
    """Statements first compiled between two blocks are as complete in the second."""
    output = _run("""
        from pitstop import count_queries
        with count_queries(engine):
            pass
        walk()
        with count_queries(engine) as queries:
            walk()
        print(queries.n_plus_one[0].query_location is not None)
    """)
    assert output.split() == ["True"]


def test_the_hooks_are_installed_once() -> None:
    """The first block installs the hooks for the process; later blocks and new engines add none."""
    output = _run("""
        from pitstop import count_queries
        with count_queries(engine):
            walk()
        before = len(registry._key_to_collection)
        for _ in range(3):
            with count_queries(engine) as queries, count_queries() as everything:
                walk()
        left = [key for key in registry._key_to_collection]
        print(len(left) - before, queries.count, everything.count)
    """)
    assert output.split() == ["0", "5", "5"]


def test_nothing_is_recorded_after_the_block() -> None:
    """What runs after the block is neither counted nor marked."""
    output = _run("""
        from pitstop import count_queries
        from sqlalchemy import inspect
        with count_queries(engine) as queries:
            walk()
        counted = queries.count
        with Session(engine) as session:
            shelf = session.scalars(select(Shelf)).first()
            print(queries.count - counted, len(inspect(shelf).load_options))
    """)
    assert output.split() == ["0", "0"]
