"""A small city: a relation of every shape, and rows for it."""

from typing import Optional

from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint, Integer, String, Table, func, select
from sqlalchemy.ext.associationproxy import AssociationProxy, association_proxy
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    aliased,
    attribute_keyed_dict,
    column_property,
    composite,
    mapped_column,
    relationship,
    synonym,
)


class Base(DeclarativeBase):
    """The registry of the city."""


class Point:
    """A pair."""

    def __init__(self, x: int, y: int) -> None:
        self.x, self.y = x, y

    def __composite_values__(self) -> tuple[int, int]:
        return self.x, self.y


ownership = Table(
    "ownership",
    Base.metadata,
    Column("person_id", ForeignKey("person.id"), primary_key=True),
    Column("house_id", ForeignKey("house.id"), primary_key=True),
    Column("position", Integer, nullable=False),
)
friendship = Table(
    "friendship",
    Base.metadata,
    Column("one_id", ForeignKey("person.id"), primary_key=True),
    Column("other_id", ForeignKey("person.id"), primary_key=True),
)


class Person(Base):
    """Employees and managers are joined to it, guests are in its own table."""

    __tablename__ = "person"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    name: Mapped[str]
    age: Mapped[int | None]
    boss_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    houses: Mapped[list["House"]] = relationship(
        secondary=ownership, back_populates="owners", order_by=ownership.c.position.desc()
    )
    friends: Mapped[set["Person"]] = relationship(
        secondary=friendship,
        primaryjoin=lambda: Person.id == friendship.c.one_id,
        secondaryjoin=lambda: Person.id == friendship.c.other_id,
    )
    boss: Mapped[Optional["Person"]] = relationship(back_populates="staff", remote_side="Person.id")
    staff: Mapped[list["Person"]] = relationship(back_populates="boss", order_by="Person.name.desc()")
    card: Mapped[Optional["Card"]] = relationship(back_populates="person", uselist=False)
    big_houses: Mapped[list["House"]] = relationship(
        secondary=ownership,
        secondaryjoin=lambda: (House.id == ownership.c.house_id) & (House.rooms > 3),
        order_by="House.id",
        viewonly=True,
    )
    streets: AssociationProxy[list[str]] = association_proxy("houses", "street")
    card_code: AssociationProxy[str | None] = association_proxy("card", "code")
    called: Mapped[str] = synonym("name")
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "person"}  # noqa: RUF012

    @hybrid_property
    def shout(self) -> str:
        return self.name + "!"

    @hybrid_property
    def initial(self) -> str:
        return self.name[0]

    @initial.inplace.expression
    @classmethod
    def _initial(cls):  # type: ignore[no-untyped-def]
        return func.left(cls.name, 1)

    @property
    def greeting(self) -> str:
        return f"hello {self.name}"


class Employee(Person):
    """Joined."""

    __tablename__ = "employee"
    id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
    salary: Mapped[int]
    desk_id: Mapped[int | None] = mapped_column(ForeignKey("desk.id"))
    desk: Mapped[Optional["Desk"]] = relationship()
    __mapper_args__ = {"polymorphic_identity": "employee"}  # noqa: RUF012


class Manager(Employee):
    """Joined twice."""

    __tablename__ = "manager"
    id: Mapped[int] = mapped_column(ForeignKey("employee.id"), primary_key=True)
    car: Mapped[str | None]
    __mapper_args__ = {"polymorphic_identity": "manager"}  # noqa: RUF012


class Guest(Person):
    """In the same table."""

    until: Mapped[int | None]
    __mapper_args__ = {"polymorphic_identity": "guest"}  # noqa: RUF012


class Desk(Base):
    """Where an employee sits."""

    __tablename__ = "desk"
    id: Mapped[int] = mapped_column(primary_key=True)
    floor: Mapped[int]


class Card(Base):
    """One to one, its key on this side."""

    __tablename__ = "card"
    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), unique=True)
    code: Mapped[str]
    person: Mapped[Person] = relationship(back_populates="card")


class House(Base):
    """Owned by several; has rooms by a key of two columns."""

    __tablename__ = "house"
    id: Mapped[int] = mapped_column(primary_key=True)
    street: Mapped[str]
    rooms: Mapped[int]
    x: Mapped[int] = mapped_column(default=0)
    y: Mapped[int] = mapped_column(default=0)
    place: Mapped[Point] = composite("x", "y")
    owners: Mapped[list[Person]] = relationship(
        secondary=ownership, back_populates="houses", order_by="Person.id"
    )
    flats: Mapped[list["Flat"]] = relationship(back_populates="house")
    by_letter: Mapped[dict[str, "Flat"]] = relationship(
        collection_class=attribute_keyed_dict("letter"), viewonly=True
    )


class Flat(Base):
    """A key of two columns, and others that refer to both."""

    __tablename__ = "flat"
    house_id: Mapped[int] = mapped_column(ForeignKey("house.id"), primary_key=True)
    letter: Mapped[str] = mapped_column(String(1), primary_key=True)
    house: Mapped[House] = relationship(back_populates="flats")
    meters: Mapped[list["Meter"]] = relationship(
        back_populates="flat", order_by="Meter.value.desc(), Meter.id"
    )


class Meter(Base):
    """Refers to both columns."""

    __tablename__ = "meter"
    id: Mapped[int] = mapped_column(primary_key=True)
    house_id: Mapped[int]
    letter: Mapped[str] = mapped_column(String(1))
    value: Mapped[int]
    flat: Mapped[Flat] = relationship(back_populates="meters")
    __table_args__ = (ForeignKeyConstraint(["house_id", "letter"], ["flat.house_id", "flat.letter"]),)


some_flats = aliased(Flat, select(Flat).where(Flat.letter == "a").subquery())
House.first_flats = relationship(some_flats, viewonly=True)  # type: ignore[attr-defined]
owned = ownership.alias()
House.owner_count = column_property(  # type: ignore[attr-defined]
    select(func.count()).select_from(owned).where(owned.c.house_id == House.id).scalar_subquery()
)


def settle(session: Session) -> None:
    """Build the city."""
    boss = Manager(name="Ada", salary=10, car="red", age=50)
    ben = Employee(name="Ben", salary=5, boss=boss, desk=Desk(floor=3))
    cid = Employee(name="Cid", salary=6, boss=boss, age=7)
    dan = Guest(name="Dan", until=9, boss=ben)
    eve = Person(name="Eve")
    boss.friends = {ben, eve}
    eve.friends = {boss}
    boss.card, eve.card = Card(code="A"), Card(code="E")
    houses = [House(street=f"street {n}", rooms=n + 2, x=n, y=n) for n in range(4)]
    for house in houses:
        house.flats = [Flat(letter=letter) for letter in "cab"[: house.rooms - 2]]
        for flat in house.flats:
            flat.meters = [Meter(value=value) for value in (1, 5, 5, 3)]
    session.add_all([boss, ben, cid, dan, eve, *houses])
    session.flush()
    pairs = [(boss, 0, 1), (boss, 1, 3), (boss, 2, 2), (eve, 1, 7), (eve, 3, 1), (dan, 3, 2)]
    rows = [{"person_id": who.id, "house_id": houses[h].id, "position": at} for who, h, at in pairs]
    session.execute(ownership.insert(), rows)
    session.commit()
