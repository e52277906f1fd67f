"""What cannot come from SQL is said when the read model is made: the field, why, and what to do."""

import datetime as dt
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
import pytest
from pydantic import (
    AfterValidator,
    AliasPath,
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    PlainSerializer,
    RootModel,
    computed_field,
    field_serializer,
    field_validator,
    model_serializer,
    model_validator,
)
from sqlalchemy import Float, Text, Time, TypeDecorator, func
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, aliased, mapped_column
from sqlmodel import Field as SQLField
from sqlmodel import SQLModel

from pitstop import PitstopError, read_model
from pitstop.errors import ReadModelError
from tests.sql.read_model.city import House, Person
from tests.sql.read_model.everything import Base, Colour, Mood, Thing


class Upper(TypeDecorator[str]):
    impl = Text
    cache_ok = True

    def process_result_value(self, value: str | None, dialect: Any) -> str | None:
        return value and value.upper()


class Odd(Base):
    __tablename__ = "odd"
    id: Mapped[int] = mapped_column(primary_key=True)
    loud: Mapped[str] = mapped_column(Upper)
    zoned: Mapped[dt.time] = mapped_column(Time(timezone=True))
    rough: Mapped[Decimal] = mapped_column(Float(asdecimal=True))

    @hybrid_property
    def python(self) -> str:
        return str(self.id) if self.id > 3 else "few"

    @property
    def plain(self) -> int:
        return 1


class NameOut(BaseModel):
    name: str


class Inner(BaseModel):
    id: int

    @field_validator("id")
    @classmethod
    def check(cls, value: int) -> int:
        return value


def out(model: type, annotation: Any, name: str = "field", **config: Any) -> type:
    """A response with one field."""
    body = {"__annotations__": {name: annotation}, "model_config": ConfigDict(**config)}
    return type("Out", (BaseModel,), body)


FIELDS: list[tuple[type, str, Any, str]] = [
    (Thing, "short", Annotated[str, AfterValidator(str.upper)], "Out.short has a validator"),
    (Thing, "short", Annotated[str, PlainSerializer(str.upper)], "Out.short has a serializer"),
    (Thing, "short", HttpUrl, "Out.short has a"),
    (Thing, "short", int | str, "Out.short is a union of types"),
    (Thing, "short", int, "Out.short is int in the response, but its column has the type String"),
    (Thing, "id", str, "Out.id is str in the response, but its column has the type Integer"),
    (Thing, "at", dt.date, "Out.at is date in the response"),
    (Thing, "key", str, "Out.key is str in the response"),
    (Thing, "colour", Mood, "Out.colour is Mood, but the column Enum"),
    (Thing, "colour", str, "Out.colour is str in the response, but the column holds Colour, which is no str"),
    (Thing, "small", Colour, "Out.small has an enum of other values"),
    (Thing, "document", NameOut, "Out.document is an object, but the column has the type JSONB"),
    (Thing, "document", dict[str, Decimal], "Out.document is a dict of what is not plain JSON"),
    (Thing, "short", list[str], "Out.short is a list, but its column has the type String"),
    (Thing, "tags", tuple[str, str], "Out.tags is a tuple of fixed length"),
    (Thing, "tags", list[int], "Out.tags is int in the response"),
    (Thing, "nothing", int, "Out.nothing is no attribute of Thing"),
    (Thing, "nothing", Annotated[int, Field(default_factory=lambda: 3)], "Out.nothing has a default_factory"),
    (Thing, "metadata", Any, "Out.metadata is a python attribute of Thing"),
    (Odd, "loud", str, "Out.loud is read from a column of the type Upper.*which python code turns"),
    (Odd, "zoned", dt.time, "Out.zoned is read from a column"),
    (Odd, "rough", Decimal, "Out.rough is read from a column"),
    (Odd, "python", str, "Out.python is a hybrid without an SQL form of Odd"),
    (Odd, "plain", int, "Out.plain is a python property of Odd.*make it a hybrid or a column_property"),
    (
        Person,
        "houses",
        NameOut,
        "Out.houses is one object in the response, but Person.houses is a collection",
    ),
    (Person, "boss", list[NameOut], "Out.boss is a list in the response, but Person.boss is one"),
    (Person, "boss", Any, "Out.boss is no object in the response, but Person.boss is"),
    (Person, "houses", list[str], "Out.houses is no object in the response, but Person.houses is"),
    (Person, "boss", Inner, "Inner.id has a validator"),
    (Person, "name", Annotated[str, Field(validation_alias=AliasPath("houses", "street"))], "alias path"),
    (
        House,
        "first_flats",
        list[NameOut],
        "Out.first_flats is read by House.first_flats, a relationship to an",
    ),
    (House, "place", Any, "Out.place is a Composite"),
    (
        House,
        "by_letter",
        list[NameOut],
        "Out.by_letter is a list in the response, but House.by_letter is a dict",
    ),
]


@pytest.mark.parametrize(("model", "name", "annotation", "message"), FIELDS, ids=lambda each: str(each)[:30])
def test_fields(model: type, name: str, annotation: Any, message: str) -> None:
    """The error names model and field and says to give an expression."""
    shown = read_model(model, out(model, annotation, name))
    with pytest.raises(ReadModelError, match=message) as caught:
        shown.order_by()
    assert ".field(" in str(caught.value) or "make it" in str(caught.value)
    assert isinstance(caught.value, PitstopError)


CONFIGS: list[tuple[str, Any, dict[str, Any], str]] = [
    ("short", str, {"str_strip_whitespace": True}, "is changed by strip_whitespace"),
    ("short", str, {"str_to_lower": True}, "is changed by to_lower"),
    ("number", float, {"ser_json_inf_nan": "constants"}, "is dumped as NaN"),
    ("at", dt.datetime, {"ser_json_temporal": "seconds"}, "is dumped as seconds"),
]


@pytest.mark.parametrize(
    ("name", "annotation", "config", "message"), CONFIGS, ids=lambda each: str(each)[:30]
)
def test_configurations(name: str, annotation: Any, config: dict[str, Any], message: str) -> None:
    """A configuration that PostgreSQL cannot follow is named."""
    with pytest.raises(ReadModelError, match=f"Out.{name} {message}"):
        read_model(Thing, out(Thing, annotation, name, **config)).order_by()


class Validated(BaseModel):
    id: int

    @model_validator(mode="after")
    def check(self) -> "Validated":
        return self


class Early(BaseModel):
    id: int

    @model_validator(mode="before")
    @classmethod
    def check(cls, value: Any) -> Any:
        return value


class Serialized(BaseModel):
    id: int

    @model_serializer
    def write(self) -> dict[str, Any]:
        return {}


class Initialised(BaseModel):
    id: int

    def model_post_init(self, context: Any) -> None:
        self.id += 1


class Root(RootModel[list[int]]):
    pass


class Array(msgspec.Struct, array_like=True):
    id: int


class Omitting(msgspec.Struct, omit_defaults=True):
    id: int


class Post(msgspec.Struct):
    id: int

    def __post_init__(self) -> None:
        self.id += 1


@pytest.mark.parametrize(
    ("response", "message"),
    [
        (Validated, "Validated has a validator"),
        (Early, "Early has a validator"),
        (Serialized, "Serialized has a serializer"),
        (Initialised, "Initialised has model_post_init"),
        (Root, "Root is a RootModel"),
        (Array, "Array is array_like"),
        (Omitting, "Omitting has omit_defaults"),
        (Post, "Post has __post_init__"),
        (dict, "is no response model"),
        (list[NameOut], "is no response model"),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_whole_models(response: Any, message: str) -> None:
    """What no field can mend is refused at once."""
    with pytest.raises(ReadModelError, match=message):
        read_model(Thing, response)


@pytest.mark.parametrize("model", [int, NameOut, aliased(Thing)], ids=["int", "response", "alias"])
def test_what_is_not_mapped(model: Any) -> None:
    """The first argument is a mapped class."""
    with pytest.raises(ReadModelError, match="is no mapped class"):
        read_model(model, NameOut)


class Table(SQLModel, table=True):
    id: int | None = SQLField(default=None, primary_key=True)
    name: str


class TableOut(SQLModel):
    name: str


def test_sqlmodel() -> None:
    """Its classes are models and responses, though they have an __init__ of their own."""
    assert "name" in read_model(Table, TableOut).sql


class Mendable(BaseModel):
    """Fields that only python can make."""

    id: int
    short: Literal["A"]
    text: str

    @field_serializer("text")
    def write(self, value: str) -> str:
        return value

    @computed_field(alias="doubleId")  # type: ignore[prop-decorator]
    @property
    def double(self) -> int:
        return self.id * 2


def test_all_at_once_until_an_expression_mends_them() -> None:
    """Every field is named; .field() mends each, and the error goes."""
    shown = read_model(Thing, Mendable)
    with pytest.raises(ReadModelError) as caught:
        shown.where(Thing.id == 1)
    assert [line.split(" ")[0] for line in str(caught.value).splitlines()] == [
        "Mendable.text",
        "Mendable.double",
    ]
    mended = shown.field("text", func.upper(Thing.text)).field("double", Thing.id * 2).order_by(Thing.id)
    assert '"doubleId"' in mended.sql


class Recursive(BaseModel):
    name: str
    staff: list["Recursive"]


class Doubled(BaseModel):
    id: int = Field(serialization_alias="x")
    small: int | None = Field(serialization_alias="x")


class Long(BaseModel):
    id: int = Field(serialization_alias="x" * 64)


class Empty(BaseModel):
    pass


@pytest.mark.parametrize(
    ("model", "response", "message"),
    [
        (Person, Recursive, "Recursive.staff refers to Recursive itself: write one model for each level"),
        (Thing, Doubled, "Doubled: several fields have the key 'x'"),
        (Thing, Long, "is longer than 63 bytes"),
        (Thing, Empty, "Empty has no field"),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_shapes(model: type, response: type, message: str) -> None:
    """Responses without an end, with one key twice, with keys that would be cut, with nothing in them."""
    with pytest.raises(ReadModelError, match=message):
        read_model(model, response).order_by()


def test_options_name_what_there_is() -> None:
    """A misspelt path is an error, as are options of a collection on what is none."""
    with pytest.raises(ReadModelError, match=r"NameOut has no title: name fields as the response does"):
        read_model(Person, NameOut).field("title", Person.name).order_by()
    with pytest.raises(ReadModelError, match=r"NameOut has no Person.houses"):
        read_model(Person, NameOut).collection(Person.houses, limit=1).order_by()
    with pytest.raises(ReadModelError, match=r"Out.boss is no collection"):
        read_model(Person, out(Person, NameOut | None, "boss")).collection("boss", limit=1).order_by()
    with pytest.raises(ReadModelError, match=r"field 'name' has no source"):
        read_model(Person, NameOut).field("name")
    with pytest.raises(ReadModelError, match=r"Person.name is no relationship"):
        read_model(Person, NameOut).field("name", Person.name, House.street)
    with pytest.raises(ReadModelError, match=r"House.rooms is no relationship"):
        read_model(House, NameOut).collection(House.rooms, limit=1)
    with pytest.raises(
        ReadModelError, match=r"NameOut.name is read by House.owners.*no relationship of Person"
    ):
        read_model(Person, NameOut).field("name", House.owners, Person.name).order_by()
