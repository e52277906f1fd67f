"""Fields that are read of the same related row share one look-up of it, and give what the ORM gives."""

import json
import random
from collections.abc import Iterator
from functools import reduce
from typing import Any

import pytest
from pydantic import AliasPath, BaseModel, Field, create_model
from sqlalchemy import Engine, ForeignKey, event, exists, select
from sqlalchemy.orm import (
    Mapped,
    ORMExecuteState,
    Session,
    aliased,
    mapped_column,
    relationship,
    with_loader_criteria,
)

from pitstop import read_model
from tests.sql.read_model.city import Base, Card, Flat, House, Manager, Meter, Person, settle
from tests.sql.read_model.oracle import encoded, loaded

BOSS, CARD = Person.boss, Person.card
# to one, by keys of one and of two columns, from either side; columns, hybrids, a column_property
PATHS: dict[Any, list[tuple[Any, ...]]] = {
    Person: [
        (Person.name,),
        *[(BOSS, each) for each in (Person.name, Person.age, Person.shout, Person.initial, Person.id)],
        *[(BOSS, BOSS, each) for each in (Person.name, Person.kind)],
        *[(BOSS, CARD, each) for each in (Card.code, Card.id)],
        *[(CARD, each) for each in (Card.code, Card.id)],
        *[(CARD, Card.person, each) for each in (Person.name, Person.age)],
    ],
    Meter: [
        (Meter.value,),
        (Meter.flat, Flat.letter),
        (Meter.flat, Flat.house, House.street),
        (Meter.flat, Flat.house, House.rooms),
        (Meter.flat, Flat.house, House.owner_count),  # type: ignore[attr-defined]
    ],
}
PATHS[Manager] = PATHS[Person]


@pytest.fixture
def session(sync_engine: Engine) -> Iterator[Session]:
    Base.metadata.create_all(sync_engine)
    with Session(sync_engine) as session:
        settle(session)
        yield session


def value_of(row: Any, path: tuple[Any, ...]) -> Any:
    """What a path leads to from an object."""
    return reduce(lambda found, step: None if found is None else getattr(found, step.key), path, row)


@pytest.mark.parametrize("model", PATHS, ids=lambda each: each.__name__)
def test_fields_drawn_at_random_are_those_of_the_orm(session: Session, model: Any) -> None:
    """Forty choices of fields, of all rows, of a page, cut, skipped or one, are as walking the objects."""
    draw = random.Random(model.__name__)
    (key,) = model.__mapper__.primary_key
    rows = session.scalars(select(model).order_by(key)).all()
    for _ in range(40):
        paths = draw.sample(PATHS[model], draw.randrange(1, len(PATHS[model]) + 1))
        expected = [{f"f{n}": value_of(row, path) for n, path in enumerate(paths)} for row in rows]
        shown = read_model(model, create_model("Out", **dict.fromkeys(expected[0], (Any, ...))))
        for number, path in enumerate(paths):
            shown = shown.field(f"f{number}", *path)
        shown = shown.order_by(key)
        skip, most = draw.randrange(3), draw.randrange(1, 5)
        for cut, wanted in (
            (shown, expected),
            (shown.limit(most), expected[:most]),
            (shown.offset(skip).limit(most), expected[skip : skip + most]),
        ):
            assert json.loads(cut.fetch_sync(session)) == wanted
        page = json.loads(shown.page(most).fetch_sync(session).json())
        assert page["items"] == expected[:most]
        assert (page["next"] is None) == (most >= len(expected))
        assert json.loads(shown.one().fetch_sync(session) or b"") == expected[0]


class MeterOut(BaseModel):
    """Two fields of the flat, three of its house."""

    value: int
    letter: str = Field(validation_alias=AliasPath("flat", "letter"))
    street: str = Field(validation_alias=AliasPath("flat", "house", "street"))
    rooms: int = Field(validation_alias=AliasPath("flat", "house", "rooms"))


class FlatOut(BaseModel):
    """A row of which fields are looked up, in an object, with rows of which fields are looked up."""

    street: str = Field(validation_alias=AliasPath("house", "street"))
    letter: str
    rooms: int = Field(validation_alias=AliasPath("house", "rooms"))
    meters: list[MeterOut]


class HouseOut(BaseModel):
    flats: list[FlatOut]


class NestedOut(BaseModel):
    value: int
    flat: FlatOut


@pytest.mark.parametrize(("model", "response"), [(Meter, NestedOut), (Flat, FlatOut)])
def test_in_objects_and_lists(session: Session, model: Any, response: type) -> None:
    """Look-ups stand in rows of every level."""
    key = model.__mapper__.primary_key
    rows = session.scalars(select(model).order_by(*key)).all()
    found = read_model(model, response).order_by(*key).fetch_sync(session)
    assert loaded(found) == loaded(encoded(rows, response))


def test_a_collection_keeps_its_order_and_limit(session: Session) -> None:
    """What is asked of a collection holds of rows whose fields are looked up."""
    shown = (
        read_model(House, HouseOut)
        .collection(House.flats, order_by=Flat.letter.desc(), limit=2)
        .collection("flats.meters", where=Meter.value > 3, order_by=Meter.id, limit=1)
        .where(House.rooms == 5)
    )
    (house,) = json.loads(shown.fetch_sync(session))
    assert [flat["letter"] for flat in house["flats"]] == ["c", "b"]
    assert [[each["value"] for each in flat["meters"]] for flat in house["flats"]] == [[5], [5]]
    assert {each["rooms"] for flat in house["flats"] for each in flat["meters"]} == {5}


def test_the_row_is_looked_up_once(session: Session) -> None:
    """However many fields are read of a row and of the row behind it, the statement names each table once."""
    statement = read_model(Meter, MeterOut).limit(3).sql
    assert (statement.count("FROM flat"), statement.count("FROM house")) == (1, 1)
    assert statement.count("LATERAL") == 2


def test_criteria_of_the_session_hold(session: Session) -> None:
    """What a listener adds to every query holds in a look-up, and in the one behind it."""
    shown = (
        read_model(
            Person, create_model("Out", name=(Any, ...), age=(Any, ...), boss=(Any, ...), top=(Any, ...))
        )
        .field("age", Person.boss, Person.age)
        .field("boss", Person.boss, Person.name)
        .field("top", Person.boss, Person.boss, Person.name)
        .order_by(Person.name)
    )

    @event.listens_for(session, "do_orm_execute")
    def only(state: ORMExecuteState) -> None:
        criterion = with_loader_criteria(Person, lambda person: person.name != "Ada", include_aliases=True)
        state.statement = state.statement.options(criterion)

    found = {each.pop("name"): each for each in json.loads(shown.fetch_sync(session))}
    assert found["Ben"] == {"age": None, "boss": None, "top": None}
    assert found["Dan"] == {"age": None, "boss": "Ben", "top": None}


def test_subqueries_beside_a_look_up_see_their_row(session: Session) -> None:
    """A subquery of the caller's is of the row that it stands beside, correlated by itself."""
    staff = aliased(Person)
    shown = (
        read_model(Person, create_model("Out", name=(Any, ...), led=(Any, ...), b=(Any, ...), a=(Any, ...)))
        .field("led", exists().where(staff.boss_id == Person.id))
        .field("b", Person.boss, Person.name)
        .field("a", Person.boss, Person.age)
        .order_by(Person.name)
    )
    found = {each["name"]: (each["led"], each["b"]) for each in json.loads(shown.fetch_sync(session))}
    assert found == {
        "Ada": (True, None),
        "Ben": (True, "Ada"),
        "Cid": (False, "Ada"),
        "Dan": (False, "Ben"),
        "Eve": (False, None),
    }


class Shop(Base):
    """Has a relationship whose condition asks further."""

    __tablename__ = "shop"
    id: Mapped[int] = mapped_column(primary_key=True)
    house_id: Mapped[int] = mapped_column(ForeignKey("house.id"))
    lit: Mapped[House | None] = relationship(
        primaryjoin=lambda: (
            (Shop.house_id == House.id)
            & select(Flat.letter).where(Flat.house_id == Shop.house_id).correlate(Shop).exists()
        ),
        viewonly=True,
    )


def test_a_condition_with_a_subquery_stays_with_its_row(session: Session) -> None:
    """A relationship whose condition has a subquery is looked up for each field, as it was written."""
    session.add_all([Shop(house_id=each.id) for each in session.scalars(select(House).order_by(House.id))])
    session.flush()
    shown = (
        read_model(Shop, create_model("Out", street=(Any, ...), rooms=(Any, ...)))
        .field("street", Shop.lit, House.street)
        .field("rooms", Shop.lit, House.rooms)
    )
    found = [(each["street"], each["rooms"]) for each in json.loads(shown.fetch_sync(session))]
    assert "LATERAL" not in shown.sql
    assert found == [(None, None), ("street 1", 3), ("street 2", 4), ("street 3", 5)]
