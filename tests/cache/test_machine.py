"""A state machine: in any order of reads, writes, commits and failures a cached read is the plain one."""

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from redis import Redis
from sqlalchemy.orm import Session

from pitstop.cache import Cache
from tests.cache.conftest import OpenCache
from tests.cache.shop import Order, Orders, order_tags

ROWS = range(1, 5)
rows, customers, sides = st.sampled_from(ROWS), st.sampled_from([1, 2]), st.sampled_from([0, 1])


class Reads:
    """The cached reads of one process."""

    def __init__(self, cache: Cache, plain: Orders) -> None:
        self.cache = cache
        cache.invalidate_on_commit(Order, tags=order_tags)

        @cache.cached(ttl=600, tags=["order:{order_id}"], namespace="totals")
        def total(order_id: int) -> int | None:
            return plain.total(order_id)

        @cache.cached(ttl=600, tags=["orders_of:{customer_id}"], stale_for=600, early=1)
        def sum_of(customer_id: int) -> int:
            return plain.sum_of(customer_id)

        @cache.cached(ttl=600)
        def report() -> list[int | None]:
            return [sum_of(1), sum_of(2), *map(total, ROWS)]

        @cache.cached(ttl=600, tags=["order:{order_id}"], ignore=["session"])
        def total_in(session: Session, order_id: int) -> int | None:
            order = session.get(Order, order_id)
            return order.total if order is not None else None

        @cache.cached(ttl=600, ignore=["session"])
        def double_in(session: Session, order_id: int) -> int:
            return 2 * (total_in(session, order_id) or 0)

        self.total, self.sum_of, self.report = total, sum_of, report
        self.total_in, self.double_in = total_in, double_in


class Machine(RuleBasedStateMachine):
    """Two processes that read, two sessions that write, each its own rows."""

    def __init__(self, engine: sa.Engine, reads: list[Reads], redis: "Redis | None") -> None:
        super().__init__()
        self.engine, self.reads, self.redis = engine, reads, redis
        self.plain = Orders(engine)
        self.sessions = [Session(engine), Session(engine)]
        with Session(engine) as session:
            session.execute(sa.delete(Order))
            session.flush()
            session.add_all([Order(id=n, total=n, customer_id=1) for n in ROWS])
            session.commit()

    def teardown(self) -> None:
        for session in self.sessions:
            session.close()

    @rule(side=sides, row=rows)
    def read_total(self, side: int, row: int) -> None:
        assert self.reads[side].total(row) == self.plain.total(row)

    @rule(side=sides, customer=customers)
    def read_sum(self, side: int, customer: int) -> None:
        assert self.reads[side].sum_of(customer) == self.plain.sum_of(customer)

    @rule(side=sides)
    def read_report(self, side: int) -> None:
        plain = [self.plain.sum_of(1), self.plain.sum_of(2), *map(self.plain.total, ROWS)]
        assert self.reads[side].report() == plain

    @rule(side=sides, row=rows)
    def read_in_a_new_session(self, side: int, row: int) -> None:
        with Session(self.engine) as session:
            assert self.reads[side].total_in(session, row) == self.plain.total(row)
        with Session(self.engine) as session:
            assert self.reads[side].double_in(session, row) == 2 * (self.plain.total(row) or 0)

    @rule(side=sides, row=rows)
    def read_in_a_writer(self, side: int, row: int) -> None:
        """What it gives is the session's own affair; it must be kept for nobody else."""
        self.reads[0].total_in(self.sessions[side], row)

    @rule(side=sides, row=rows)
    def read_more_in_a_writer(self, side: int, row: int) -> None:
        self.reads[1].double_in(self.sessions[side], row)

    @rule(row=rows, amount=st.integers(0, 99))
    def write(self, row: int, amount: int) -> None:
        order = self.sessions[row % 2].get(Order, row)
        if order is not None:
            order.total = amount

    @rule(row=rows, customer=customers)
    def move(self, row: int, customer: int) -> None:
        order = self.sessions[row % 2].get(Order, row)
        if order is not None:
            order.customer_id = customer

    @rule(row=rows)
    def delete_or_add(self, row: int) -> None:
        session = self.sessions[row % 2]
        order = session.get(Order, row)
        if order is not None:
            session.delete(order)
        else:
            session.add(Order(id=row, total=row, customer_id=2))
        session.flush()

    @rule(side=sides, amount=st.integers(0, 99), text=st.booleans())
    def write_many(self, side: int, amount: int, text: bool) -> None:
        if text:
            statement = sa.text("UPDATE customer_order SET total = :amount WHERE id % 2 = :side")
            self.sessions[side].execute(statement, {"amount": amount, "side": side})
        else:
            self.sessions[side].execute(sa.update(Order).where(Order.id % 2 == side).values(total=amount))

    @rule(side=sides, row=rows, keep=st.booleans())
    def write_under_a_savepoint(self, side: int, row: int, keep: bool) -> None:
        order = self.sessions[row % 2].get(Order, row)
        if order is not None:
            with self.sessions[row % 2].begin_nested() as nested:
                order.total = 1000 + row
                if not keep:
                    nested.rollback()

    @rule(side=sides)
    def commit(self, side: int) -> None:
        self.sessions[side].commit()

    @rule(side=sides)
    def roll_back(self, side: int) -> None:
        self.sessions[side].rollback()

    @rule(side=sides)
    def leave(self, side: int) -> None:
        self.sessions[side].close()

    @rule(side=sides, tag=st.sampled_from(["order:1", "order", "orders_of:1", "nothing"]))
    def invalidate(self, side: int, tag: str) -> None:
        invalidation = self.reads[side].cache._invalidation
        invalidation.tags_blocking([f"t:{tag}"])

    @rule(side=sides, row=rows)
    def drop(self, side: int, row: int) -> None:
        self.reads[side].total.invalidate(row)

    @rule(side=sides, row=rows)
    def refresh(self, side: int, row: int) -> None:
        assert self.reads[side].total.refresh(row) == self.plain.total(row)

    @rule(share=st.integers(1, 3), what=st.sampled_from([":t:*", ":{*", ":n:*", ":*"]))
    def lose_keys(self, share: int, what: str) -> None:
        """Keys run out or are evicted."""
        if self.redis is not None:
            prefix = self.reads[0].cache._commands.prefix.decode()
            found = sorted(self.redis.scan_iter(f"{prefix}{what}"))
            gone = [each for each in found[::share] if self.redis.pttl(each) > 0]
            if gone:
                self.redis.delete(*gone)

    @rule(side=sides)
    def lose_memory(self, side: int) -> None:
        self.reads[side].cache._memory.clear()


def _run(machine: Any, examples: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
            phases=[Phase.generate],  # to make a failure small takes minutes: give it Phase.shrink by hand
        ),
    )


def test_in_memory(open_cache: OpenCache, engine: sa.Engine) -> None:
    """One process without Redis."""
    reads = Reads(open_cache(), Orders(engine))
    _run(lambda: Machine(engine, [reads, reads], None), 25)


async def test_with_redis(open_cache: OpenCache, redis_url: str, engine: sa.Engine) -> None:
    """Two caches on one Redis, whose keys may be lost at any time."""
    caches = [open_cache(redis=redis_url) for _ in range(2)]
    for each in caches:
        await each.start()
    reads = [Reads(each, Orders(engine)) for each in caches]
    with Redis.from_url(redis_url) as redis:
        await asyncio.to_thread(_run, lambda: Machine(engine, reads, redis), 25)
    stats = caches[0].stats().namespaces["default"]
    assert stats.memory_hits
    assert stats.redis_hits


@pytest.mark.slow
async def test_for_long(open_cache: OpenCache, redis_url: str, engine: sa.Engine) -> None:
    """The same, 400 times."""
    caches = [open_cache(redis=redis_url) for _ in range(2)]
    reads = [Reads(each, Orders(engine)) for each in caches]
    with Redis.from_url(redis_url) as redis:
        await asyncio.to_thread(_run, lambda: Machine(engine, reads, redis), 400)
