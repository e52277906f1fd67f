"""A small library that the counter's tests read: shelves and books."""

from sqlalchemy import Engine, ForeignKey, insert, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    """The registry of these tests."""


class Shelf(Base):
    """Three of them."""

    __tablename__ = "count_shelf"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    books: Mapped[list["Book"]] = relationship()


class Book(Base):
    """Two on each shelf."""

    __tablename__ = "count_book"
    id: Mapped[int] = mapped_column(primary_key=True)
    shelf_id: Mapped[int] = mapped_column(ForeignKey("count_shelf.id"))


class Slip(Base):
    """None of them yet."""

    __tablename__ = "count_slip"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


def fill(engine: Engine) -> None:
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(insert(Shelf), [{"id": n, "name": f"shelf {n}"} for n in (1, 2, 3)])
        connection.execute(insert(Book), [{"id": n, "shelf_id": (n + 1) // 2} for n in range(1, 7)])


def ask(engine: Engine, times: int = 1) -> None:
    """Execute a statement, so many times."""
    with engine.connect() as connection:
        for _ in range(times):
            connection.execute(select(Shelf.id)).all()
