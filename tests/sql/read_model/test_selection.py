"""Which rows, in which order, how many: of the whole and of each collection, with bound parameters."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel
from sqlalchemy import Engine, bindparam, func, select
from sqlalchemy.orm import Session, aliased

from pitstop import read_model
from pitstop.errors import ReadModelError
from tests.sql.read_model.city import Base, Card, Employee, Flat, House, Meter, Person, settle


class MeterOut(BaseModel):
    value: int


class FlatOut(BaseModel):
    letter: str
    meters: list[MeterOut]


class HouseOut(BaseModel):
    street: str
    flats: list[FlatOut]


class NameOut(BaseModel):
    name: str


class StaffOut(BaseModel):
    name: str
    staff: list[NameOut]


HOSTILE = "x'; DROP TABLE house; -- \" \\ %s :name $1 {}"


@pytest.fixture
def session(sync_engine: Engine) -> Iterator[Session]:
    """In the city."""
    Base.metadata.create_all(sync_engine)
    with Session(sync_engine) as session:
        settle(session)
        yield session


def names(data: bytes | None, key: str = "name") -> list[Any]:
    assert data is not None
    return [each[key] for each in json.loads(data)]


def test_criteria_add_up(session: Session) -> None:
    """Conditions on the class, its relations and hybrids hold together; parameters get their values late."""
    shown = read_model(Person, NameOut).where(Person.houses.any(House.rooms > bindparam("rooms")))
    old = shown.where(Person.shout != "Dan!").order_by(Person.name.desc())
    assert names(old.fetch_sync(session, rooms=1)) == ["Eve", "Ada"]
    assert names(old.params(rooms=4).fetch_sync(session)) == ["Eve"]
    assert names(old.params(rooms=4).fetch_sync(session, rooms=3)) == ["Eve", "Ada"]
    assert names(shown.fetch_sync(session, rooms=99)) == []


def test_without_an_order_it_is_that_of_the_key(session: Session) -> None:
    """Rows come by primary key, and those of collections too."""
    found = json.loads(read_model(House, HouseOut).fetch_sync(session))
    assert [each["street"] for each in found] == [f"street {n}" for n in range(4)]
    assert [flat["letter"] for flat in found[3]["flats"]] == ["a", "b", "c"]


def test_limit_and_offset(session: Session) -> None:
    """Numbers and parameters; what is skipped may have relations."""
    shown = read_model(Person, StaffOut).order_by(Person.name)
    assert names(shown.limit(2).fetch_sync(session)) == ["Ada", "Ben"]
    assert names(shown.offset(3).fetch_sync(session)) == ["Dan", "Eve"]
    assert names(shown.where(Person.name != "Ada").limit(2).offset(1).fetch_sync(session)) == ["Cid", "Dan"]
    some = shown.limit(bindparam("size", type_=None, value=1)).offset(bindparam("skip", value=0))
    assert names(some.fetch_sync(session)) == ["Ada"]
    assert names(some.fetch_sync(session, size=2, skip=1)) == ["Ben", "Cid"]
    flats = read_model(Flat, FlatOut).order_by(Flat.letter.desc(), Flat.house_id).offset(1).limit(3)
    assert names(flats.fetch_sync(session), "letter") == ["c", "c", "b"]


def test_each_collection_has_its_own(session: Session) -> None:
    """Order, limit and conditions count for each owner, by relationship or by path, also further in."""
    shown = (
        read_model(House, HouseOut)
        .collection(House.flats, order_by=Flat.letter.desc(), limit=2, where=Flat.letter != "c")
        .collection("flats.meters", order_by=[Meter.value.desc(), Meter.id], limit=bindparam("top", value=1))
        .where(House.rooms == 5)
    )
    flats = json.loads(shown.fetch_sync(session))[0]["flats"]
    assert flats == [{"letter": letter, "meters": [{"value": 5}]} for letter in "ba"]
    flats = json.loads(shown.fetch_sync(session, top=3))[0]["flats"]
    assert flats[0]["meters"] == [{"value": 5}, {"value": 5}, {"value": 3}]


def test_a_class_within_itself(session: Session) -> None:
    """Conditions and orders of a self-referential collection are those of its own rows, not the owner's."""
    shown = read_model(Person, StaffOut).collection(
        "staff", order_by=Person.name, where=Person.age.is_not(None)
    )
    found = json.loads(shown.where(Person.name == "Ada").fetch_sync(session))
    assert found == [{"name": "Ada", "staff": [{"name": "Cid"}]}]


def test_conditions_of_collections_reach_further(session: Session) -> None:
    """A condition may ask for relations of the related rows, the owner's class among them."""
    shown = read_model(Person, StaffOut).collection("staff", where=Person.boss.has(Person.name == "Ada"))
    assert json.loads(shown.where(Person.name == "Ada").fetch_sync(session))[0]["staff"] == [
        {"name": "Cid"},
        {"name": "Ben"},
    ]
    nobody = read_model(Person, StaffOut).collection("staff", where=Person.boss.has(Person.name == "Ben"))
    assert json.loads(nobody.where(Person.name == "Ada").fetch_sync(session))[0]["staff"] == []


class Computed(BaseModel):
    name: str
    staff_count: int
    boss_name: str | None
    houses: list[str]
    house_rooms: list[int]
    meter_values: list[int]
    card: dict[str, Any] | None
    staff: list["ComputedStaff"]


class ComputedStaff(BaseModel):
    loud: str
    peers: int


def test_fields_from_expressions(session: Session) -> None:
    """An expression, a correlated subquery, one value or a list of values by relations; nested ones too."""
    other = aliased(Person)
    peers = select(func.count()).select_from(other).where(other.boss_id == Person.boss_id).scalar_subquery()
    shown = (
        read_model(Person, Computed)
        .field(
            "staff_count", select(func.count(other.id)).where(other.boss_id == Person.id).scalar_subquery()
        )
        .field("boss_name", Person.boss, Person.name)
        .field("houses", Person.houses, House.street)
        .field("house_rooms", Person.houses, House.rooms)
        .collection("house_rooms", order_by=House.rooms.desc(), limit=2)
        .field("meter_values", Person.houses, House.flats, Flat.meters, Meter.value)
        .field(
            "card",
            select(func.json_build_object("c", Card.code))
            .where(Card.person_id == Person.id)
            .scalar_subquery(),
        )
        .field("staff.loud", func.upper(Person.name))
        .field("staff.peers", peers)
    )
    ada, cid = json.loads(
        shown.where(Person.name.in_(["Ada", "Cid"])).order_by(Person.id).fetch_sync(session)
    )
    assert ada["staff_count"] == 2
    assert ada["boss_name"] is None
    assert cid["boss_name"] == "Ada"
    assert ada["houses"] == ["street 1", "street 2", "street 0"]
    assert ada["house_rooms"] == [4, 3]
    assert sorted(ada["meter_values"]) == sorted([1, 5, 5, 3] * 3)
    assert (ada["card"], cid["card"]) == ({"c": "A"}, None)
    assert ada["staff"] == [{"loud": "CID", "peers": 2}, {"loud": "BEN", "peers": 2}]


class AnyoneOut(BaseModel):
    name: str
    salary: int | None = None
    kind: str


def test_conditions_with_columns_of_subclasses(session: Session) -> None:
    """Where columns of a subclass are read along, conditions on the class and on the subclass hold."""
    shown = read_model(Person, AnyoneOut).field("kind", "someone").order_by(Person.name)
    assert names(shown.where(Person.name > "Ben").fetch_sync(session), "salary") == [6, None, None]
    assert names(shown.where(Employee.salary > 5).fetch_sync(session)) == ["Ada", "Cid"]
    assert names(shown.offset(1).limit(1).fetch_sync(session), "kind") == ["someone"]
    assert names(shown.page(2).fetch_sync(session).data) == ["Ada", "Ben"]


def test_hostile_values_are_values(session: Session) -> None:
    """What looks like SQL is stored, found and written as the text it is."""
    session.add(House(street=HOSTILE, rooms=9))
    shown = read_model(House, HouseOut)
    for asked in (
        shown.where(House.street == HOSTILE),
        shown.where(House.street == bindparam("s")).params(s=HOSTILE),
    ):
        for _ in range(2):
            assert names(asked.fetch_sync(session), "street") == [HOSTILE]
        assert "DROP" not in asked.sql
    literal = shown.field("street", House.street + func.coalesce(None, HOSTILE)).where(House.rooms == 2)
    assert names(literal.fetch_sync(session), "street") == ["street 0" + HOSTILE]


def test_lists_of_values(session: Session) -> None:
    """IN takes a list that is given at once or late, of any length, time after time."""
    fixed = read_model(House, HouseOut).where(House.rooms.in_([3, 5]))
    late = read_model(House, HouseOut).where(House.rooms.in_(bindparam("rooms", expanding=True)))
    for _ in range(3):
        assert len(names(fixed.fetch_sync(session), "street")) == 2
        assert len(names(late.fetch_sync(session, rooms=[2, 3, 4]), "street")) == 3
        assert names(late.fetch_sync(session, rooms=[]), "street") == []


def test_steps_leave_what_was_before(session: Session) -> None:
    """A read model never changes; each step gives another."""
    shown = read_model(House, HouseOut).order_by(House.id)
    before = shown.sql
    shown.where(House.rooms == 2).limit(1).offset(1)
    assert shown.sql == before
    assert len(names(shown.fetch_sync(session), "street")) == 4


def test_parameters_are_checked(session: Session) -> None:
    """A parameter without value and a value without parameter are named, before anything is asked."""
    shown = read_model(House, HouseOut).where(House.rooms == bindparam("rooms"))
    with pytest.raises(ReadModelError, match="parameter 'rooms' of House -> HouseOut has no value"):
        shown.fetch_sync(session)
    with pytest.raises(ReadModelError, match="no parameter 'room': there are rooms"):
        shown.fetch_sync(session, rooms=1, room=2)
