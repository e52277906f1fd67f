"""Relations of every shape give what the ORM gives, by both drivers, with one statement."""

from typing import Annotated, Any

import msgspec
import pytest
from pydantic import AliasPath, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from sqlalchemy import Engine, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session

from pitstop import count_queries, read_model
from tests.sql.read_model.city import Base, Employee, Flat, House, Manager, Person, settle
from tests.sql.read_model.oracle import encoded, loaded


class DeskOut(BaseModel):
    floor: int


class CardOut(BaseModel):
    code: str


class NameOut(BaseModel):
    name: str


class StaffOut(BaseModel):
    name: str
    boss: NameOut | None
    staff: list[NameOut]


class FlatOut(BaseModel):
    letter: str


class HouseOut(BaseModel):
    street: str
    owner_count: int
    owners: list[NameOut]
    flats: list[FlatOut] = []


class PersonOut(BaseModel):
    """Every relation of a person, four levels deep."""

    id: int
    kind: str
    called: str
    shout: str
    initial: str
    boss: StaffOut | None
    staff: list[StaffOut]
    card: CardOut | None
    houses: list[HouseOut]
    big_houses: list[HouseOut]
    streets: list[str]
    card_code: str | None


class FriendsOut(BaseModel):
    name: str
    friends: list[NameOut]


class AnyoneOut(BaseModel):
    """Columns and relations that only subclasses have."""

    name: str
    salary: int | None = None
    car: str | None = "none"
    until: int = -1
    desk: DeskOut | None = None


class BossOut(BaseModel):
    name: str
    boss: AnyoneOut | None
    staff: list[AnyoneOut]


class ManagerOut(BaseModel):
    id: int
    name: str
    salary: int
    car: str | None
    staff: list[NameOut]


class EmployeeOut(BaseModel):
    name: str
    salary: int
    desk: DeskOut | None


class MeterOut(BaseModel):
    value: int
    flat: Annotated[FlatOut, Field(serialization_alias="the flat")]


class FlatsOut(BaseModel):
    letter: str
    house: HouseOut
    meters: list[MeterOut]


class CamelOut(BaseModel):
    """Aliases of every kind, a field left out, and defaults for what there is not."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)
    owner_count: int
    the_street: str = Field(validation_alias="street", serialization_alias='st"reet: %s 100%')
    rooms: int = Field(exclude=True)
    item: int = Field(validation_alias="x")
    cursor: int = Field(validation_alias="y")
    colour: str = "grey"
    doors: list[int] = []
    extra: dict[str, Any] | None = None


class PathOut(BaseModel):
    """One value through a relation to one."""

    letter: str
    street: str = Field(validation_alias=AliasPath("house", "street"))


class NameStruct(msgspec.Struct, rename={"name": "n"}):
    name: str


class PersonStruct(msgspec.Struct, tag="person", tag_field="type"):
    name: str
    staff: list[NameStruct]
    boss: NameStruct | None
    colour: str = "grey"


CASES = [
    (Person, PersonOut),
    (Person, FriendsOut),
    (Person, AnyoneOut),
    (Person, BossOut),
    (Person, PersonStruct),
    (Employee, EmployeeOut),
    (Manager, ManagerOut),
    (Flat, FlatsOut),
    (Flat, PathOut),
    (House, CamelOut),
]


def in_order(value: Any) -> Any:
    """With the collections sorted that have no order of their own."""
    if isinstance(value, list):
        for each in value:
            in_order(each)
    if isinstance(value, dict):
        for key, each in value.items():
            in_order(each)
            if key in ("friends", "flats"):
                each.sort(key=str)
    return value


@pytest.mark.parametrize(("model", "response"), CASES, ids=lambda each: each.__name__)
def test_as_the_orm(sync_engine: Engine, model: Any, response: type) -> None:
    """The JSON is that of the objects, and takes one statement, the first time and later."""
    Base.metadata.create_all(sync_engine)
    shown = read_model(model, response).order_by(*model.__mapper__.primary_key)
    with Session(sync_engine) as session:
        settle(session)
        expected = encoded(
            session.scalars(select(model).order_by(*model.__mapper__.primary_key)).all(), response
        )
        for _ in range(3):
            with count_queries(session) as queries:
                found = shown.fetch_sync(session)
            assert queries.count == 1
            assert in_order(loaded(found)) == in_order(loaded(expected))
        assert len(loaded(found)) >= 1


async def test_as_the_orm_by_asyncpg(engine: AsyncEngine) -> None:
    """The same by asyncpg, in a session, on a connection and on the engine."""
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with AsyncSession(engine) as session:
        await session.run_sync(settle)
        for model, response in CASES:
            order = model.__mapper__.primary_key

            def others(
                session: Session, model: Any = model, response: type = response, order: Any = order
            ) -> bytes:
                return encoded(session.scalars(select(model).order_by(*order)).all(), response)

            expected = in_order(loaded(await session.run_sync(others)))
            shown = read_model(model, response).order_by(*order)
            async with engine.connect() as connection:
                for source in (session, connection, engine, session, connection, engine):
                    with count_queries(engine) as queries:
                        found = await shown.fetch(source)
                    assert queries.count == 1
                    assert in_order(loaded(found)) == expected
