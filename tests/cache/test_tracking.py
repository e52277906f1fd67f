"""Automatic tags: what a load read is what its value depends on, and nothing else voids it."""

import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    aliased,
    joinedload,
    mapped_column,
    relationship,
    selectinload,
)

from pitstop.cache import Cache
from tests.cache.conftest import OpenCache


class Base(DeclarativeBase):
    pass


likes = sa.Table(
    "likes",
    Base.metadata,
    sa.Column("person_id", sa.ForeignKey("person.id"), primary_key=True),
    sa.Column("song_id", sa.ForeignKey("song.id"), primary_key=True),
)


class Song(Base):
    __tablename__ = "song"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(default="song")


class Task(Base):
    __tablename__ = "task"
    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("person.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(default="task")


class Person(Base):
    __tablename__ = "person"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(default="person")
    tasks: Mapped[list[Task]] = relationship(order_by=Task.id, passive_deletes=True)
    songs: Mapped[list[Song]] = relationship(secondary=likes, order_by=Song.id)


class World:
    """A database of two persons and a cache; functions by name, and how often each was called."""

    def __init__(self, engine: AsyncEngine, cache: Cache) -> None:
        self.engine = engine
        self.cache = cache
        self.calls: list[str] = []
        self.functions: dict[str, Any] = {}

    def reads(self, name: str, read: Callable[[AsyncSession], Any]) -> None:
        """A cached function of no arguments, with automatic tags."""

        async def load() -> Any:
            self.calls.append(name)
            async with AsyncSession(self.engine) as session:
                return await read(session)

        load.__qualname__ = name
        self.functions[name] = (self.cache.cached(ttl=60, track=True)(load), load)

    async def called_again(self) -> set[str]:
        """The functions whose values did not hold; every value is that of the plain function."""
        self.calls.clear()
        values = {name: await cached() for name, (cached, _) in self.functions.items()}
        again = set(self.calls)
        assert values == {name: await load() for name, (_, load) in self.functions.items()}
        return again

    async def write(self, work: Callable[[AsyncSession], Any]) -> None:
        async with AsyncSession(self.engine) as session:
            await work(session)
            await session.commit()


async def names(session: AsyncSession, statement: Any) -> list[str]:
    return list((await session.scalars(statement)).unique())


@pytest.fixture
async def world(database_url: str, redis_url: str) -> AsyncIterator[World]:
    engine = create_async_engine(database_url)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with Cache(redis_url, namespace=uuid.uuid4().hex, lease=1.0, soft_timeout=2.0) as cache:
        made = World(engine, cache)
        await made.write(
            lambda session: session.run_sync(
                lambda s: s.add_all(
                    [Person(id=1, tasks=[Task(id=1)], songs=[Song(id=1)]), Person(id=2), Song(id=2)]
                )
            )
        )
        for number in (1, 2):
            made.reads(f"person {number}", lambda s, n=number: row_name(s, Person, n))
        made.reads("person 9", lambda s: row_name(s, Person, 9))
        made.reads("persons", lambda s: names(s, sa.select(Person.name).order_by(Person.id)))
        made.reads("tasks", lambda s: names(s, sa.select(Task.name).order_by(Task.id)))
        made.reads("songs of 1", songs_of_one)
        assert await made.called_again() == set(made.functions)
        assert await made.called_again() == set()
        yield made
    await engine.dispose()


async def row_name(session: AsyncSession, model: Any, number: int) -> str | None:
    found = await session.get(model, number)
    return None if found is None else found.name


async def songs_of_one(session: AsyncSession) -> list[str]:
    person = await session.scalar(sa.select(Person).where(Person.id == 1).options(selectinload(Person.songs)))
    return [] if person is None else [each.name for each in person.songs]


async def rename(session: AsyncSession, model: Any, number: int) -> None:
    (await session.get_one(model, number)).name = uuid.uuid4().hex


WRITES: dict[str, tuple[Callable[[AsyncSession], Any], set[str]]] = {
    "a changed row": (lambda s: rename(s, Person, 1), {"person 1", "persons", "songs of 1"}),
    "another row": (lambda s: rename(s, Person, 2), {"person 2", "persons"}),
    "a row of another table": (lambda s: rename(s, Task, 1), {"tasks"}),
    "a new row that was looked for": (
        lambda s: s.run_sync(lambda sync: sync.add(Person(id=9))),
        {"person 9", "persons"},
    ),
    "a bulk update": (
        lambda s: s.execute(sa.update(Person).where(Person.id == 2).values(name="new")),
        {"person 1", "person 2", "person 9", "persons", "songs of 1"},
    ),
    "a bulk update of a connection": (
        lambda s: on_connection(s, sa.update(Task).values(name="new")),
        {"tasks"},
    ),
    "an association": (lambda s: like(s), {"songs of 1"}),
}


async def on_connection(session: AsyncSession, statement: Any) -> None:
    await (await session.connection()).execute(statement)


async def like(session: AsyncSession) -> None:
    await session.execute(sa.insert(likes).values(person_id=1, song_id=2))


@pytest.mark.parametrize("kind", WRITES)
async def test_a_write_voids_what_depends_on_it(world: World, kind: str) -> None:
    """After a commit exactly the values that read what it changed are loaded again."""
    work, expected = WRITES[kind]
    await world.write(work)
    again = await world.called_again()
    assert again >= {name for name in expected if name != "songs of 1"}
    assert again - expected <= {"songs of 1"}
    assert await world.called_again() == set()


async def test_a_text_voids_everything(world: World) -> None:
    """A statement written by hand may have changed anything."""
    await world.write(lambda s: s.execute(sa.text("UPDATE person SET name = 'by hand'")))
    assert await world.called_again() == set(world.functions)


async def test_what_the_database_deletes_along_counts(world: World) -> None:
    """ON DELETE CASCADE changes a table that no statement names."""

    async def delete(session: AsyncSession) -> None:
        await session.execute(sa.delete(likes))
        await session.execute(sa.delete(Person).where(Person.id == 1))

    await world.write(delete)
    assert "tasks" in await world.called_again()


async def test_a_flushed_association_counts(world: World) -> None:
    """An association table is written without an object that stands for it."""

    async def append(session: AsyncSession) -> None:
        person = await session.get_one(Person, 1, options=[selectinload(Person.songs)])
        person.songs.append(await session.get_one(Song, 2))

    world.reads("liked", lambda s: names(s, sa.select(Song.name).join(likes).order_by(Song.id)))
    await world.called_again()
    await world.write(append)
    assert "liked" in await world.called_again()


async def test_a_rollback_voids_nothing(world: World) -> None:
    """What was never committed has changed nothing."""
    async with AsyncSession(world.engine) as session:
        await rename(session, Person, 1)
        await session.flush()
        await session.rollback()
    assert await world.called_again() == set()


async def test_tables_are_found_in_every_part(world: World) -> None:
    """Aliases, subqueries, CTEs, unions, joins, EXISTS and loader options name their tables."""
    other = aliased(Task)
    inner = sa.select(Task.person_id).cte("inner")
    shapes = {
        "alias": sa.select(other.name),
        "in": sa.select(Person.name).where(Person.id.in_(sa.select(Task.person_id))),
        "cte": sa.select(inner.c.person_id),
        "exists": sa.select(Person.name).where(sa.exists().where(Task.person_id == Person.id)),
        "union": sa.union_all(sa.select(Song.name), sa.select(Task.name)),
        "scalar": sa.select(sa.select(sa.func.count()).select_from(Task).scalar_subquery()),
    }
    for name, statement in shapes.items():
        world.reads(name, lambda s, each=statement: names(s, each))

    async def joined(session: AsyncSession) -> list[str]:
        found = await session.scalars(sa.select(Person).options(joinedload(Person.tasks)))
        return [task.name for person in found.unique() for task in person.tasks]

    world.reads("joined", joined)
    await world.called_again()
    await world.write(lambda s: rename(s, Task, 1))
    assert await world.called_again() >= {*shapes, "joined"}


async def test_a_textual_read_is_not_kept(world: World) -> None:
    """What a statement written by hand reads is not known: its value is not kept, and the reason counted."""
    world.reads("by hand", lambda s: names(s, sa.text("SELECT name FROM person ORDER BY id")))
    await world.called_again()
    assert await world.called_again() == {"by hand"}
    assert (
        "a textual statement does not tell what it reads"
        in world.cache.stats().namespaces["default"].unfilled
    )


async def test_what_a_cached_function_calls_counts(world: World) -> None:
    """A cached function that calls another depends on what that one depends on."""
    inner = world.functions["person 1"][0]

    async def outer(session: AsyncSession) -> Any:
        return await inner()

    world.reads("outer", outer)
    await world.called_again()
    assert await world.called_again() == set()
    await world.write(lambda s: rename(s, Person, 1))
    assert "outer" in await world.called_again()


FORMS: dict[str, Callable[[int], Any]] = {
    "where": lambda n: sa.select(Song.name).where(Song.id == n),
    "turned round": lambda n: sa.select(Song.name).where(n == Song.id),
    "filter_by": lambda n: sa.select(Song.name).filter_by(id=n),
    "object": lambda n: sa.select(Song).where(Song.id == n, Song.name != ""),
    "core": lambda n: sa.select(Song.__table__.c.name).where(Song.__table__.c.id == n),
    "named parameter": lambda n: sa.select(Song.name).where(Song.id == sa.bindparam("n", n)),
    "parameter filled in later": lambda n: (
        sa.select(Song.name).where(Song.id == sa.bindparam("n")).params(n=n)
    ),
    "lambda": lambda n: sa.lambda_stmt(lambda: sa.select(Song.name).where(Song.id == n)),
}


@pytest.mark.parametrize("form", FORMS)
async def test_rows_that_one_statement_reads_are_told_apart(
    world: World, open_cache: OpenCache, form: str
) -> None:
    """Statements that differ in the key alone share what was compiled: each has the tag of its own row."""

    async def read(session: AsyncSession, number: int) -> str:
        found = await session.scalar(FORMS[form](number))
        return found.name if isinstance(found, Song) else str(found)

    numbers, songs = (21, 22, 23), World(world.engine, open_cache())
    for number in numbers:
        songs.reads(f"song {number}", lambda session, n=number: read(session, n))
    await songs.write(lambda s: s.run_sync(lambda s: s.add_all([Song(id=number) for number in numbers])))
    await songs.called_again()
    assert await songs.called_again() == set()
    await songs.write(lambda s: rename(s, Song, 22))
    assert await songs.called_again() == {"song 22"}
