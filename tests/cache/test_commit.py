"""Invalidation on commit: what a session writes is dropped when it commits, and only then."""

import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from pitstop.cache import Cache
from pitstop.errors import SettingsError
from tests.cache.conftest import OpenCache
from tests.cache.shop import Customer, Order, Orders, order_tags


class Shop:
    """The cached reads of a shop beside the plain ones."""

    def __init__(self, cache: Cache, engine: sa.Engine) -> None:
        self.cache = cache
        self.plain = Orders(engine)
        plain = self.plain

        @cache.cached(ttl=60, tags=["order:{order_id}"])
        def total(order_id: int) -> int | None:
            return plain.total(order_id)

        @cache.cached(ttl=60, tags=["orders_of:{customer_id}"])
        def sum_of(customer_id: int) -> int:
            return plain.sum_of(customer_id)

        self.total, self.sum_of = total, sum_of
        cache.invalidate_on_commit(Order, tags=order_tags)

    def warm(self) -> None:
        """Everything is in the cache."""
        self.check()
        calls = self.plain.calls
        self.read()
        assert self.plain.calls == calls, "the reads were not cached"

    def read(self) -> tuple[list[int | None], list[int]]:
        return [self.total(n) for n in range(1, 7)], [self.sum_of(n) for n in (1, 2)]

    def check(self) -> None:
        """Cached reads equal plain ones."""
        cached = self.read()
        plain = [self.plain.total(n) for n in range(1, 7)], [self.plain.sum_of(n) for n in (1, 2)]
        assert cached == plain


@pytest.fixture
def shop(cache: Cache, engine: sa.Engine) -> Shop:
    return Shop(cache, engine)


@pytest.fixture
async def async_engine(database_url: str, engine: sa.Engine) -> AsyncIterator[AsyncEngine]:
    found = create_async_engine(database_url)
    yield found
    await found.dispose()


def test_a_commit_drops_what_was_written(shop: Shop, engine: sa.Engine) -> None:
    """A changed row is read anew after the commit, and rows that did not change stay cached."""
    shop.warm()
    with Session(engine) as session:
        session.get_one(Order, 1).total = 11
        session.commit()
    calls = shop.plain.calls
    assert shop.total(1) == 11
    assert shop.total(2) == 20
    assert shop.plain.calls == calls + 1


def test_rollback_drops_nothing_of_others_data(shop: Shop, engine: sa.Engine) -> None:
    """What was rolled back leaves the cached values as they were."""
    shop.warm()
    calls = shop.plain.calls
    with Session(engine) as session:
        session.get_one(Order, 1).total = 11
        session.flush()
        session.rollback()
    assert shop.total(1) == 10
    assert shop.plain.calls == calls
    shop.check()


def test_a_savepoint_rolled_back_drops_only_the_rest(shop: Shop, engine: sa.Engine) -> None:
    """Of a transaction with a savepoint that was rolled back, the rest is dropped."""
    shop.warm()
    calls = shop.plain.calls
    with Session(engine) as session:
        session.get_one(Order, 1).total = 11
        with session.begin_nested() as nested:
            session.get_one(Order, 2).total = 22
            session.flush()
            nested.rollback()
        session.commit()
    assert (shop.total(1), shop.total(2)) == (11, 20)
    assert shop.plain.calls == calls + 1


def test_a_row_that_moves_drops_both_places(shop: Shop, engine: sa.Engine) -> None:
    """The tags of a row as it was are dropped as well as those of the row as it is."""
    shop.warm()
    with Session(engine) as session:
        session.get_one(Order, 1).customer_id = 2
        session.commit()
    assert (shop.sum_of(1), shop.sum_of(2)) == (30, 70)


def test_an_old_value_that_was_not_loaded(shop: Shop, engine: sa.Engine) -> None:
    """Where the old value was overwritten unseen, the whole family is dropped."""
    shop.warm()
    with Session(engine) as session:
        order = session.get_one(Order, 1)
        session.expire(order, ["customer_id"])
        order.customer_id = 2
        session.commit()
    assert (shop.sum_of(1), shop.sum_of(2)) == (30, 70)


def test_a_change_through_a_relationship(shop: Shop, engine: sa.Engine) -> None:
    """A row moved by appending it to another's collection drops both places."""
    shop.warm()
    with Session(engine) as session:
        customer, order = session.get_one(Customer, 2), session.get_one(Order, 1)
        customer.orders.append(order)
        session.commit()
    shop.check()


def test_new_and_deleted_rows(shop: Shop, engine: sa.Engine) -> None:
    """An inserted row ends a remembered None; a deleted one its value."""
    shop.warm()
    with Session(engine) as session:
        session.add(Order(id=5, total=50, customer_id=1))
        session.delete(session.get_one(Order, 2))
        session.commit()
    assert (shop.total(5), shop.total(2)) == (50, None)
    shop.check()


@pytest.mark.parametrize(
    "statement",
    [
        sa.update(Order).where(Order.id == 1).values(total=99),
        sa.delete(Order).where(Order.id == 1),
        sa.insert(Order).values(id=6, total=60, customer_id=1),
        sa.update(Order.__table__).where(Order.__table__.c.id == 1).values(total=98),
        sa.text("UPDATE customer_order SET total = 97 WHERE id = 1"),
        sa.text("WITH gone AS (DELETE FROM customer_order WHERE id = 1 RETURNING id) SELECT * FROM gone"),
    ],
    ids=["update", "delete", "insert", "core", "text", "cte"],
)
def test_bulk_statements(shop: Shop, engine: sa.Engine, statement: Any) -> None:
    """Statements that write without objects drop the families."""
    shop.warm()
    with Session(engine) as session:
        session.execute(statement)
        session.commit()
    shop.check()


def test_a_writing_cte_in_a_select(shop: Shop, engine: sa.Engine) -> None:
    """A select that writes in a CTE drops the families."""
    shop.warm()
    changed = sa.update(Order).where(Order.id == 1).values(total=96).returning(Order.id).cte("changed")
    with Session(engine) as session:
        session.execute(sa.select(changed.c.id)).all()
        session.commit()
    shop.check()


def test_the_connection_of_a_session(shop: Shop, engine: sa.Engine) -> None:
    """A statement on the session's own connection drops the families as one through the session does."""
    shop.warm()
    with Session(engine) as session:
        session.connection().execute(sa.update(Order.__table__).values(total=5))  # type: ignore[arg-type]
        session.commit()
    shop.check()


def test_bulk_methods_of_sessions(shop: Shop, engine: sa.Engine) -> None:
    """The bulk methods of a session drop the families."""
    shop.warm()
    with Session(engine) as session:
        session.bulk_update_mappings(sa.inspect(Order), [{"id": 1, "total": 12}])
        session.bulk_insert_mappings(sa.inspect(Order), [{"id": 5, "total": 5, "customer_id": 2}])
        session.bulk_save_objects([Order(id=6, total=6, customer_id=1)])
        session.commit()
    shop.check()


def test_several_sessions(shop: Shop, engine: sa.Engine) -> None:
    """Each session drops at its own commit what it wrote itself."""
    shop.warm()
    with Session(engine) as one, Session(engine) as other:
        one.get_one(Order, 1).total = 11
        other.get_one(Order, 2).total = 22
        one.flush()
        other.flush()
        one.commit()
        shop.check()
        assert shop.total(2) == 20
        other.commit()
        shop.check()


def test_a_session_goes_on_after_its_commit(shop: Shop, engine: sa.Engine) -> None:
    """A second transaction of the same session is told apart from the first."""
    shop.warm()
    with Session(engine) as session:
        for total in (11, 12, 13):
            session.get_one(Order, 1).total = total
            session.commit()
            shop.check()


def test_a_commit_that_fails(shop: Shop, engine: sa.Engine) -> None:
    """A commit that the database refuses (deferred constraint) leaves no fence: values are kept again."""
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "ALTER TABLE customer_order ADD CONSTRAINT one_total UNIQUE (total) "
                "DEFERRABLE INITIALLY DEFERRED"
            )
        )
    shop.warm()
    with Session(engine) as session:
        session.get_one(Order, 1).total = 20
        with pytest.raises(sa.exc.IntegrityError):
            session.commit()
    shop.check()
    shop.warm()


async def test_async_sessions(shop: Shop, async_engine: AsyncEngine) -> None:
    """An async session drops what it wrote when it commits."""
    shop.warm()
    async with AsyncSession(async_engine) as session:
        (await session.get_one(Order, 1)).total = 11
        await session.commit()
    shop.check()
    async with AsyncSession(async_engine) as session:
        async with session.begin_nested():
            await session.execute(sa.update(Order).values(total=7))
        await session.commit()
    shop.check()


async def test_reads_of_async_sessions(cache: Cache, async_engine: AsyncEngine) -> None:
    """Async cached functions that are given a session keep what a fresh session reads."""
    cache.invalidate_on_commit(Order, tags=order_tags)
    calls = 0

    @cache.cached(ttl=60, tags=["order:{order_id}"], ignore=["session"])
    async def total(session: AsyncSession, order_id: int) -> int | None:
        nonlocal calls
        calls += 1
        return await session.scalar(sa.select(Order.total).where(Order.id == order_id))

    for expected in (10, 11, 12):
        for _ in range(3):
            async with AsyncSession(async_engine) as session:
                assert await total(session, 1) == expected
        async with AsyncSession(async_engine) as session:
            (await session.get_one(Order, 1)).total = expected + 1
            await session.commit()
    assert calls == 3


def test_uncommitted_changes_are_not_kept(shop: Shop, engine: sa.Engine) -> None:
    """What a session reads of its own changes is given to it and kept for nobody."""

    @shop.cache.cached(ttl=60, tags=["order:{order_id}"], ignore=["session"])
    def total(session: Session, order_id: int) -> int | None:
        return session.scalar(sa.select(Order.total).where(Order.id == order_id))

    with Session(engine) as session:
        session.get_one(Order, 1).total = 11
        assert total(session, 1) == 11
        with Session(engine) as other:
            assert total(other, 1) == 10
        session.rollback()
    with Session(engine) as session:
        assert total(session, 1) == 10


def test_uncommitted_changes_reach_no_outer_function(shop: Shop, engine: sa.Engine) -> None:
    """A cached function that calls another keeps nothing that was read among uncommitted changes."""

    @shop.cache.cached(ttl=60, tags=["order:{order_id}"], ignore=["session"])
    def inner(session: Session, order_id: int) -> int | None:
        return session.scalar(sa.select(Order.total).where(Order.id == order_id))

    @shop.cache.cached(ttl=60, ignore=["session"])
    def outer(session: Session, order_id: int) -> int | None:
        return inner(session, order_id)

    with Session(engine) as session:
        session.execute(sa.update(Order).where(Order.id == 1).values(total=11))
        assert outer(session, 1) == 11
        session.rollback()
    with Session(engine) as session:
        assert outer(session, 1) == 10


def test_an_outer_function_is_kept_with_the_tags_of_the_inner(shop: Shop, engine: sa.Engine) -> None:
    """A value made of other cached values is dropped with any of them."""
    calls = 0

    @shop.cache.cached(ttl=60)
    def both() -> int:
        nonlocal calls
        calls += 1
        return (shop.total(1) or 0) + (shop.total(2) or 0)

    assert [both(), both()] == [30, 30]
    assert calls == 1
    with Session(engine) as session:
        session.get_one(Order, 2).total = 25
        session.commit()
    assert [both(), both()] == [35, 35]
    assert calls == 2


def test_a_repeatable_read_transaction(shop: Shop, engine: sa.Engine) -> None:
    """What an old snapshot shows is never kept."""

    @shop.cache.cached(ttl=60, tags=["order:{order_id}"], ignore=["session"])
    def total(session: Session, order_id: int) -> int | None:
        return session.scalar(sa.select(Order.total).where(Order.id == order_id))

    with Session(engine.execution_options(isolation_level="REPEATABLE READ")) as old:
        assert old.scalar(sa.select(Order.total).where(Order.id == 2)) == 20
        with Session(engine) as session:
            session.get_one(Order, 1).total = 11
            session.commit()
        assert total(old, 1) == 10
    with Session(engine) as session:
        assert total(session, 1) == 11


def test_objects_from_before_are_not_kept(shop: Shop, engine: sa.Engine) -> None:
    """What a session answers from an object that it had is not kept."""

    @shop.cache.cached(ttl=60, tags=["order:{order_id}"], ignore=["session"])
    def total(session: Session, order_id: int) -> int:
        return session.get_one(Order, order_id).total

    with Session(engine, expire_on_commit=False) as old:
        kept = old.get_one(Order, 1)
        old.commit()
        with Session(engine) as session:
            session.get_one(Order, 1).total = 11
            session.commit()
        assert kept.total == 10
        total(old, 1)
    with Session(engine) as session:
        assert total(session, 1) == 11


def test_what_a_session_has_in_hand_without_a_statement(shop: Shop, engine: sa.Engine) -> None:
    """An object answered from the identity map, in a transaction that has begun, is not kept."""

    @shop.cache.cached(ttl=60, tags=["order:{order_id}"], ignore=["session"])
    def total(session: Session, order_id: int) -> int:
        return session.get_one(Order, order_id).total

    with Session(engine) as old:
        old.get_one(Order, 1)
        with Session(engine) as session:
            session.get_one(Order, 1).total = 11
            session.commit()
        total(old, 1)
    with Session(engine) as session:
        assert total(session, 1) == 11


def test_tags_by_templates(cache: Cache, engine: sa.Engine) -> None:
    """Templates over attributes do what a function would."""
    cache.invalidate_on_commit(Order, tags=["order:{id}", "orders_of:{customer_id}"])
    plain = Orders(engine)

    @cache.cached(tags=["orders_of:{customer_id}"])
    def sum_of(customer_id: int) -> int:
        return plain.sum_of(customer_id)

    assert (sum_of(1), sum_of(2)) == (40, 60)
    with Session(engine) as session:
        session.get_one(Order, 1).customer_id = 2
        session.commit()
    assert (sum_of(1), sum_of(2)) == (30, 70)


def test_tags_that_cannot_be_learnt_are_refused(cache: Cache) -> None:
    """A function whose families depend on the row is refused with what to do."""

    def tags(order: Any) -> list[str]:
        return [{"a": "x", "b": "y"}[order.kind]]

    with pytest.raises(SettingsError, match="plain f-strings"):
        cache.invalidate_on_commit(Order, tags=tags)


def test_two_caches_on_one_redis(open_cache: OpenCache, redis_url: str, engine: sa.Engine) -> None:
    """A commit seen by one cache is seen by another process's."""
    writer, reader = open_cache(redis=redis_url), open_cache(redis=redis_url)
    writer.invalidate_on_commit(Order, tags=order_tags)
    plain = Orders(engine)

    @reader.cached(tags=["order:{order_id}"])
    def total(order_id: int) -> int | None:
        return plain.total(order_id)

    total(1)
    for expected in range(11, 31):
        with Session(engine) as session:
            session.get_one(Order, 1).total = expected
            session.commit()
        assert [total(1), total(1)] == [expected, expected]
        assert total(1) == expected
    assert reader.stats().namespaces["default"].memory_hits >= 20


def test_an_idle_timeout_of_the_user_stays(shop: Shop, engine: sa.Engine) -> None:
    """The bound that is put on a transaction before its COMMIT ends with it."""
    with Session(engine) as session:
        session.get_one(Order, 1).total = 11
        session.commit()
        shown = session.scalar(sa.text("SHOW idle_in_transaction_session_timeout"))
    assert shown == "0"


def test_a_commit_without_redis_goes_on(
    open_cache: OpenCache, engine: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    """In outbox mode a commit with Redis away is done, and said in the log."""
    shop = Shop(open_cache(redis="redis://127.0.0.1:1/0", soft_timeout=0.1), engine)
    shop.check()
    with caplog.at_level(logging.WARNING, "pitstop.cache"), Session(engine) as session:
        session.get_one(Order, 1).total = 11
        session.commit()
    assert "committed while redis is away" in caplog.text
    shop.check()
