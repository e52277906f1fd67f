"""Two models of SQLModel, which wraps SQLAlchemy's relations in its own."""

from sqlalchemy import Engine, insert
from sqlmodel import Field, Relationship, SQLModel


class Team(SQLModel, table=True):
    """Three of them, with two heroes each."""

    id: int | None = Field(default=None, primary_key=True)
    name: str
    heroes: list["Hero"] = Relationship(back_populates="team")


class Hero(SQLModel, table=True):
    """A hero of a team."""

    id: int | None = Field(default=None, primary_key=True)
    name: str
    team_id: int | None = Field(default=None, foreign_key="team.id")
    team: Team | None = Relationship(back_populates="heroes")


def create_all(engine: Engine) -> None:
    """Make the tables and fill them."""
    SQLModel.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(insert(Team), [{"id": n, "name": f"team {n}"} for n in (1, 2, 3)])
        connection.execute(
            insert(Hero), [{"id": n, "name": f"hero {n}", "team_id": (n - 1) // 2 + 1} for n in range(1, 7)]
        )
