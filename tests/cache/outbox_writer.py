"""A process that commits when it is told to, and then waits to be killed."""

import sys
import time

from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from pitstop.cache import Cache


class Base(DeclarativeBase):
    """The root of the model."""


class Order(Base):
    """What is changed."""

    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


def main(redis_url: str, database_url: str) -> None:
    cache = Cache(redis_url)
    cache.invalidate_on_commit(Order, tags=["order:{id}"])
    with Session(create_engine(database_url)) as session:
        order = session.get(Order, 7)
        assert order is not None
        order.name = "new"
        print("ready", flush=True)
        sys.stdin.readline()
        session.commit()
    print("committed", flush=True)
    time.sleep(60)


if __name__ == "__main__":
    main(*sys.argv[1:])
