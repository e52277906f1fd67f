"""Which columns a SELECT brings, by its text."""

import pytest
from sqlalchemy import Column, ForeignKey, Integer, String, func, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import DeclarativeBase, aliased, joinedload, relationship

from pitstop.postgres.selection import selected_columns


class Base(DeclarativeBase):
    """The registry of these tests."""


class Writer(Base):
    __tablename__ = "pen"
    __table_args__ = ({"schema": "tools"},)
    id = Column(Integer, primary_key=True)
    bio = Column(String)


class Order(Base):
    __tablename__ = "order"
    id = Column(Integer, primary_key=True)
    Body = Column(String)
    writer_id = Column(ForeignKey("tools.pen.id"))
    writer = relationship(Writer)


ORDER = {("order", "id"), ("order", "Body"), ("order", "writer_id")}
WRITER = {("pen", "id"), ("pen", "bio")}


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (select(Order), ORDER),
        (select(Order).distinct(), ORDER),
        (select(Order).options(joinedload(Order.writer)), ORDER | WRITER),
        (select(aliased(Writer)), WRITER),
        (
            select(Writer.bio.label("told"), func.count(Order.Body)).join(Order).group_by(Writer.bio),
            {("pen", "bio")},
        ),
        (select(func.count()).select_from(Order), set()),
        (select(Order.id, Writer.id), {("order", "id"), ("pen", "id")}),
    ],
    ids=["entity", "distinct", "joined", "alias", "expression", "count", "two"],
)
def test_columns_of_the_list(statement: object, expected: set[tuple[str, str]]) -> None:
    """Columns are told by their table, whatever its alias, quotes and schema; expressions are left out."""
    text = str(statement.compile(dialect=postgresql.dialect()))  # type: ignore[attr-defined]
    assert selected_columns(text) == expected


@pytest.mark.parametrize(
    "text", ["UPDATE a SET b = 1", "WITH x AS (SELECT 1) SELECT x.a FROM x", "SELECT 1", ""]
)
def test_other_statements(text: str) -> None:
    """Of what is no plain SELECT nothing is told."""
    assert selected_columns(text) == set()
