"""Rows as they were before a commit: what depended on their old values or keys is dropped too."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, load_only

from pitstop.cache import Cache
from tests.cache.conftest import OpenCache
from tests.cache.shop import Order, Orders, order_tags

Write = Callable[[Session], None]


def delete(session: Session) -> None:
    session.delete(session.get_one(Order, 3))


def delete_moved(session: Session) -> None:
    order = session.get_one(Order, 3)
    order.customer_id = 2
    session.delete(order)


def delete_expired(session: Session) -> None:
    order = session.get_one(Order, 3)
    session.expire(order)
    order.customer_id = 2
    session.delete(order)


def delete_half_loaded(session: Session) -> None:
    order = session.scalars(sa.select(Order).where(Order.id == 3).options(load_only(Order.id))).one()
    session.delete(order)


def delete_half_loaded_moved(session: Session) -> None:
    order = session.scalars(sa.select(Order).where(Order.id == 3).options(load_only(Order.id))).one()
    order.customer_id = 2
    session.delete(order)


def delete_and_add(session: Session) -> None:
    """SQLAlchemy makes one UPDATE of it."""
    delete_moved(session)
    session.add(Order(id=3, total=33, customer_id=2))


def delete_and_add_and_delete(session: Session) -> None:
    delete_moved(session)
    session.flush()
    session.add(Order(id=3, total=33, customer_id=2))
    session.flush()
    session.delete(session.get_one(Order, 3))


def give_another_key(session: Session) -> None:
    session.get_one(Order, 3).id = 7


def give_another_key_unseen(session: Session) -> None:
    order = session.get_one(Order, 3)
    session.expire(order)
    order.id = 7


def compute(session: Session) -> None:
    session.get_one(Order, 3).total = Order.total + 1  # type: ignore[assignment]


def compute_and_set(session: Session) -> None:
    order = session.get_one(Order, 3)
    order.customer_id = Order.customer_id + 1  # type: ignore[assignment]
    order.total = 33


def compute_unseen(session: Session) -> None:
    order = session.get_one(Order, 3)
    session.expire(order)
    order.customer_id = sa.select(sa.func.max(Order.customer_id)).scalar_subquery()  # type: ignore[assignment]


def merge(session: Session) -> None:
    session.merge(Order(id=3, total=33, customer_id=2))


WRITES = [
    delete,
    delete_moved,
    delete_expired,
    delete_half_loaded,
    delete_half_loaded_moved,
    delete_and_add,
    delete_and_add_and_delete,
    give_another_key,
    give_another_key_unseen,
    compute,
    compute_and_set,
    compute_unseen,
    merge,
]


Read = Callable[[], list[int | None]]


def named(cache: Cache, plain: Orders) -> Read:
    """Reads whose tags are named."""
    cache.invalidate_on_commit(Order, tags=order_tags)

    @cache.cached(tags=["order:{order_id}"])
    def total(order_id: int) -> int | None:
        return plain.total(order_id)

    @cache.cached(tags=["orders_of:{customer_id}"])
    def sum_of(customer_id: int) -> int:
        return plain.sum_of(customer_id)

    return lambda: [sum_of(1), sum_of(2), total(3), total(7)]


def tracked(cache: Cache, plain: Orders) -> Read:
    """The same reads, whose tags come from their statements."""

    @cache.cached(track=True)
    def total(order_id: int) -> int | None:
        with Session(plain.engine) as session:
            order = session.get(Order, order_id)
            return order.total if order is not None else None

    @cache.cached(track=True)
    def sum_of(customer_id: int) -> int:
        return plain.sum_of(customer_id)

    return lambda: [sum_of(1), sum_of(2), total(3), total(7)]


@pytest.mark.parametrize("tags", [named, tracked])
@pytest.mark.parametrize("write", WRITES)
def test_rows_as_they_were(
    open_cache: OpenCache, engine: sa.Engine, write: Write, tags: Callable[[Cache, Orders], Read]
) -> None:
    """Whatever a flush makes of a row, reads of where it was and of where it is are those of plain code."""
    plain = Orders(engine)
    read = tags(open_cache(), plain)
    before = read()
    with Session(engine) as session:
        write(session)
        session.commit()
    after = [plain.sum_of(1), plain.sum_of(2), plain.total(3), plain.total(7)]
    assert read() == after != before
