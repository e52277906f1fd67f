"""Relations that the scenarios' schema has not: odd keys, odd joins, odd classes; and their rows."""

from typing import Any, Optional

from sqlalchemy import Column, Engine, ForeignKey, Integer, Table, and_, func, insert, select
from sqlalchemy.ext.associationproxy import AssociationProxy, association_proxy
from sqlalchemy.ext.asyncio import AsyncAttrs
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    aliased,
    backref,
    column_property,
    foreign,
    mapped_column,
    relationship,
    remote,
)


class Base(AsyncAttrs, DeclarativeBase):
    """The registry of the odd ones."""


# without a primary key: the same pair may stand in it twice
likes = Table(
    "odd_likes",
    Base.metadata,
    Column("person_id", ForeignKey("odd_person.id")),
    Column("song_id", ForeignKey("odd_song.id")),
    Column("rank", Integer),
)
friends = Table(
    "odd_friends",
    Base.metadata,
    Column("one_id", ForeignKey("odd_person.id"), primary_key=True),
    Column("other_id", ForeignKey("odd_person.id"), primary_key=True),
)


class Person(Base):
    """Six of them."""

    __tablename__ = "odd_person"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    city: Mapped[str]
    favourite_id: Mapped[int | None] = mapped_column(ForeignKey("odd_song.id"))
    secret_id: Mapped[int | None] = mapped_column(ForeignKey("odd_song.id"), deferred=True)
    favourite: Mapped[Optional["Song"]] = relationship(foreign_keys=[favourite_id], active_history=True)
    secret: Mapped[Optional["Song"]] = relationship(foreign_keys=[secret_id])
    liked: Mapped[list["Song"]] = relationship(secondary=likes, order_by=(likes.c.rank, likes.c.song_id))
    friends: Mapped[list["Person"]] = relationship(
        secondary=friends,
        primaryjoin=id == friends.c.one_id,
        secondaryjoin=id == friends.c.other_id,
        order_by=id,
        backref=backref("friend_of", order_by=id),
    )
    tasks: Mapped[list["Task"]] = relationship(
        back_populates="person", order_by="Task.position", cascade="all, delete-orphan"
    )
    first_task: Mapped[Optional["Task"]] = relationship(
        primaryjoin=lambda: and_(Person.id == foreign(Task.person_id), Task.id == _first_task_of(Person.id)),
        viewonly=True,
        uselist=False,
    )
    neighbours: Mapped[list["Person"]] = relationship(
        primaryjoin=lambda: and_(remote(foreign(Person.city)) == Person.city, remote(Person.id) != Person.id),
        viewonly=True,
        order_by=lambda: Person.id,
        uselist=True,
    )
    titles: AssociationProxy[list[str]] = association_proxy("liked", "title")


class Song(Base):
    """Four of them; equal when their titles are, hence not hashable."""

    __tablename__ = "odd_song"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Song) and other.title == self.title

    __hash__ = None  # type: ignore[assignment]


class Task(Base):
    """Three to each person but the last."""

    __tablename__ = "odd_task"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    done: Mapped[bool] = mapped_column(default=False)
    position: Mapped[int]
    person_id: Mapped[int | None] = mapped_column(ForeignKey("odd_person.id"))
    person: Mapped[Person | None] = relationship(back_populates="tasks")
    notes: Mapped[str] = mapped_column(default="", deferred=True)


class Beast(Base):
    """Twelve of them, of three classes in turn."""

    __tablename__ = "odd_beast"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    sound: Mapped[str] = mapped_column(deferred=True)
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "beast"}  # noqa: RUF012


class Cat(Beast):
    """Every third."""

    __mapper_args__ = {"polymorphic_identity": "cat"}  # noqa: RUF012


class Dog(Beast):
    """Every third."""

    __mapper_args__ = {"polymorphic_identity": "dog"}  # noqa: RUF012


def _first_task_of(person_id: Any) -> Any:
    other = aliased(Task)
    return select(func.min(other.id)).where(other.person_id == person_id).scalar_subquery()


Person.task_count = column_property(  # type: ignore[attr-defined]
    select(func.count(Task.id)).where(Task.person_id == Person.id).scalar_subquery(), deferred=True
)

PEOPLE = 6


def fill(engine: Engine) -> None:
    """Make the tables and their rows."""
    Base.metadata.create_all(engine)
    rows = {
        Song.__table__: [{"id": n, "title": f"song {n % 3}"} for n in range(1, 5)],
        Person.__table__: [
            {
                "id": n,
                "name": f"person {n}",
                "city": f"city {n % 2}",
                "favourite_id": None if n == 3 else n % 4 + 1,
                "secret_id": n % 4 + 1,
            }
            for n in range(1, PEOPLE + 1)
        ],
        likes: [
            {"person_id": n, "song_id": song, "rank": rank}
            for n in range(1, PEOPLE)
            for rank, song in enumerate((n % 4 + 1, (n + 1) % 4 + 1, n % 4 + 1))
        ],
        Beast.__table__: [
            {"id": n, "kind": ("beast", "cat", "dog")[n % 3], "sound": f"s {n}"} for n in range(1, 13)
        ],
        friends: [{"one_id": n, "other_id": other} for n in range(1, 5) for other in range(1, n)],
        Task.__table__: [
            {
                "id": n,
                "name": f"task {n}",
                "done": n % 2 == 0,
                "position": -n,
                "person_id": (n - 1) // 3 + 1,
                "notes": f"n {n}",
            }
            for n in range(1, 3 * (PEOPLE - 1) + 1)
        ],
    }
    with engine.begin() as connection:
        for table, values in rows.items():
            connection.execute(insert(table), values)
