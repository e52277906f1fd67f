"""A small shop to cache: customers with orders, and what reads them."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship


class Base(DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    orders: Mapped[list["Order"]] = relationship(back_populates="customer")


class Order(Base):
    __tablename__ = "customer_order"
    id: Mapped[int] = mapped_column(primary_key=True)
    total: Mapped[int]
    customer_id: Mapped[int] = mapped_column(sa.ForeignKey("customer.id"))
    customer: Mapped[Customer] = relationship(back_populates="orders")


def fill(engine: sa.Engine) -> None:
    """Two customers; order 1 to 4 with totals of 10 to 40, odd ones of customer 1."""
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all([Customer(id=1, name="Ada"), Customer(id=2, name="Bob")])
        session.flush()
        session.add_all([Order(id=n, total=10 * n, customer_id=2 - n % 2) for n in range(1, 5)])
        session.commit()


def order_tags(order: Any) -> list[str]:
    """The tags of an order."""
    return [f"order:{order.id}", f"orders_of:{order.customer_id}"]


class Orders:
    """What reads the shop in plain SQL, for the truth."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self.calls = 0

    def total(self, order_id: int) -> int | None:
        self.calls += 1
        with Session(self.engine) as session:
            return session.scalar(sa.select(Order.total).where(Order.id == order_id))

    def sum_of(self, customer_id: int) -> int:
        self.calls += 1
        with Session(self.engine) as session:
            query = sa.select(sa.func.coalesce(sa.func.sum(Order.total), 0))
            return int(session.scalar(query.where(Order.customer_id == customer_id)) or 0)
