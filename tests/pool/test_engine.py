"""Engines of ``create_engine``: fair, bounded, clear when exhausted, and without leaks."""

import asyncio
import gc
import os
import threading
import weakref
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
from sqlalchemy import URL, Engine, NullPool, event, exc, make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine

from pitstop import PitstopError
from pitstop.errors import PoolExhausted, SettingsError
from pitstop.events import subscribe
from pitstop.pool import (
    PoolEvent,
    create_async_engine,
    create_engine,
    create_sync_engine,
    pool_status,
    session_factory,
)
from pitstop.scope import open_scope
from pitstop.servers.process import wait_until

CLIENTS = 20


@contextmanager
def threaded(url: str | URL, **options: Any) -> Iterator[Engine]:
    engine = create_sync_engine(url, **options)
    yield engine
    engine.dispose()


@asynccontextmanager
async def asynchronous(url: str | URL, **options: Any) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(url, **options)
    yield engine
    await engine.dispose()


def set_limit(url: str, most: int) -> None:
    """Let the database have only so many connections."""
    with threaded(url) as engine, engine.begin() as connection:
        name = connection.scalar(text("select current_database()"))
        connection.execute(text(f'alter database "{name}" connection limit {most}'))


async def test_every_waiting_task_is_served(database_url: str) -> None:
    """Twenty tasks on a pool of two: each gets its connection, again and again."""
    async with asynchronous(database_url, size=2, overflow=0) as engine:
        served: Counter[int] = Counter()

        async def client(number: int) -> None:
            for _ in range(5):
                async with engine.connect() as connection:
                    await connection.execute(text("select 1"))
                served[number] += 1

        await asyncio.wait_for(asyncio.gather(*map(client, range(CLIENTS))), 60)
        assert served == dict.fromkeys(range(CLIENTS), 5)
        status = pool_status(engine)
        assert (status.checked_out, status.checked_in, status.waiting, status.exhausted) == (0, 2, 0, 0)
        assert status.waits >= CLIENTS - 2


def test_no_thread_overtakes_those_that_wait(sync_database_url: str) -> None:
    """Threads that ask again without a pause come after all that waited, whatever the machine has to do."""
    with threaded(sync_database_url, size=1, overflow=0) as engine:
        served: list[int] = []

        def client(number: int) -> None:
            for _ in range(3):
                with engine.connect() as connection:
                    served.append(number)
                    connection.execute(text("select 1"))

        threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
        with engine.connect():
            for number, each in enumerate(threads, 1):
                each.start()
                assert wait_until(lambda: pool_status(engine).waiting == number, seconds=60)  # noqa: B023
        for each in threads:
            each.join(60)
        assert served[:CLIENTS] == list(range(CLIENTS))
        assert Counter(served) == dict.fromkeys(range(CLIENTS), 3)


def test_no_thread_starves(sync_database_url: str) -> None:
    """Twenty threads that ask for one of two connections without a pause all get it, as often as they ask."""
    with threaded(sync_database_url, size=2, overflow=0) as engine:
        served: Counter[int] = Counter()

        def client(number: int) -> None:
            for _ in range(20):
                with engine.connect() as connection:
                    connection.execute(text("select 1"))
                served[number] += 1

        threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
        for each in threads:
            each.start()
        for each in threads:
            each.join(120)
        assert served == dict.fromkeys(range(CLIENTS), 20)


async def hold(engine: AsyncEngine, held: asyncio.Semaphore, release: asyncio.Event) -> None:
    with open_scope("GET /report"):
        async with engine.connect():
            held.release()
            await release.wait()


@asynccontextmanager
async def all_held(engine: AsyncEngine, connections: int) -> AsyncIterator[None]:
    """Somebody has all connections of a pool for the length of the block."""
    held, release = asyncio.Semaphore(0), asyncio.Event()
    holders = [asyncio.create_task(hold(engine, held, release)) for _ in range(connections)]
    for _ in holders:
        await asyncio.wait_for(held.acquire(), 30)
    yield
    release.set()
    await asyncio.gather(*holders)


async def test_exhaustion_is_a_clear_error(database_url: str) -> None:
    """Eighteen clients beside two that hold on: each gets the error in time, with the line that holds."""
    async with asynchronous(database_url, size=2, overflow=0, timeout_s=0.5, name="shop") as engine:
        async with all_held(engine, 2):
            clients = [engine.connect().start() for _ in range(CLIENTS - 2)]
            errors = await asyncio.wait_for(asyncio.gather(*clients, return_exceptions=True), 30)
            holders = pool_status(engine).holders
        assert {type(error).__mro__[1] for error in errors} == {PoolExhausted}
        message = str(errors[0])
        assert message.startswith(
            "pool 'shop' is exhausted: none of its 2 connections became free within 0.5 s"
        )
        assert "held are 2 by " in message
        assert "in hold, GET /report (up to" in message
        assert [each.work for each in holders] == ["GET /report"] * 2
        async with engine.connect() as connection:
            assert await connection.scalar(text("select 1")) == 1


async def test_exhaustion_is_caught_as_before(database_url: str) -> None:
    """It is Pitstop's error and SQLAlchemy's time-out in one, and says when to come again."""
    async with asynchronous(database_url, size=1, overflow=0, timeout_s=0.05) as engine:
        async with all_held(engine, 1):
            for kind in (PitstopError, exc.TimeoutError):
                with pytest.raises(kind) as caught:
                    await engine.connect()
        assert isinstance(caught.value, PoolExhausted)
        assert 1 <= caught.value.retry_after_s <= 60


async def test_a_line_may_be_bounded(database_url: str) -> None:
    """With ``max_waiting`` whoever comes after so many gets the error at once."""
    async with (
        asynchronous(database_url, size=1, overflow=0, max_waiting=0, name="shop") as engine,
        all_held(engine, 1),
    ):
        with pytest.raises(PoolExhausted, match="pool 'shop' has already 0 requests waiting for its 1 conn"):
            await asyncio.wait_for(engine.connect().start(), 20)


async def test_cancelled_waiters_leak_nothing(database_url: str) -> None:
    """Clients cancelled at random moments, waiting or served: afterwards everything is idle again."""
    async with asynchronous(database_url, size=2, overflow=1) as engine:

        async def client() -> None:
            async with engine.connect() as connection:
                await connection.execute(text("select pg_sleep(0.002)"))

        for pause in range(12):
            tasks = [asyncio.create_task(client()) for _ in range(CLIENTS)]
            await asyncio.sleep(pause * 0.002)
            for task in tasks[::2]:
                task.cancel()
            await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 60)
        status = pool_status(engine)
        assert (status.checked_out, status.waiting, status.holders) == (0, 0, ())
        assert engine.sync_engine.pool._line.count <= 2  # type: ignore[attr-defined]


def test_a_pool_keeps_to_its_share(sync_database_url: str) -> None:
    """Three workers share what the server leaves; what is not there is said in the log."""
    set_limit(sync_database_url, 9)
    with threaded(sync_database_url, workers=3) as engine:
        assert pool_status(engine).limit == 1
        with engine.connect():
            status = pool_status(engine)
    assert (status.size, status.limit) == (3, 3)
    assert [each.kind for each in status.events] == ["opened", "bounded", "closed", "opened"]


def test_a_pool_that_fits_has_what_was_asked_for(sync_database_url: str) -> None:
    """Size 20 and 40 more, where the server has them; 5 and none for background work."""
    with threaded(sync_database_url) as usual, threaded(sync_database_url, background=True) as background:
        for engine in (usual, background):
            engine.connect().close()
        assert (pool_status(usual).size, pool_status(usual).limit) == (20, 60)
        assert (pool_status(background).size, pool_status(background).limit) == (5, 5)


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg_async"])
async def test_a_server_without_a_connection_left(sync_database_url: str, driver: str) -> None:
    """Where others have taken all that the server has, it is the same clear error as an exhausted pool."""
    role = f"limited_{os.urandom(4).hex()}"
    with threaded(sync_database_url) as owner:
        with owner.begin() as connection:
            connection.execute(text(f"create role {role} login password 'secret' connection limit 1"))
        limited = make_url(sync_database_url).set(username=role, password="secret")
        with threaded(limited) as other, other.connect():
            async with asynchronous(limited.set(drivername=f"postgresql+{driver}")) as engine:
                with pytest.raises(PoolExhausted, match="cannot open a connection beside the 0 that it has"):
                    await engine.connect()
        with owner.begin() as connection:
            connection.execute(text(f"drop role {role}"))


def test_a_failed_connection_keeps_nobody_waiting() -> None:
    """While nobody can connect, every client gets the driver's error; none waits for a place."""
    engine = create_sync_engine("postgresql://nobody@127.0.0.1:1/nothing", size=1, overflow=0)
    for _ in range(3):
        with pytest.raises(exc.OperationalError):
            engine.connect()
    assert pool_status(engine).checked_out == 0


def test_a_dead_connection_is_replaced(sync_database_url: str) -> None:
    """A connection that the server ended while it was idle is noticed by the ping."""
    with threaded(sync_database_url, size=2, overflow=0) as engine:
        with engine.connect() as first, engine.connect() as second:
            second.execute(text("select pg_terminate_backend(:pid)"), {"pid": _pid(first)})
            first.invalidate()
        with engine.connect() as one, engine.connect() as other:
            assert _pid(one) != _pid(other)


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg_async"])
async def test_a_restart_of_the_server_reaches_nobody(sync_database_url: str, driver: str) -> None:
    """Connections that ended right after their use are seen to have, without a ping."""
    url = make_url(sync_database_url)
    async with asynchronous(url.set(drivername=f"postgresql+{driver}"), size=8, overflow=0) as engine:

        async def use() -> int:
            async with engine.connect() as connection:
                await connection.execute(text("select pg_sleep(0.01)"))
                return int(await connection.scalar(text("select pg_backend_pid()")) or 0)

        processes = set(await asyncio.gather(*(use() for _ in range(8))))
        with threaded(sync_database_url) as other, other.connect() as killer:
            for number in processes:
                killer.execute(text("select pg_terminate_backend(:pid, 10000)"), {"pid": number})
        after = set(await asyncio.gather(*(use() for _ in range(16))))
        assert not processes & after


def test_an_event_loop_after_another(database_url: str) -> None:
    """An engine whose event loop was closed goes on in the next one with connections of its own."""
    engine = create_async_engine(database_url, size=1, overflow=0)

    async def ask() -> object:
        async with engine.connect() as connection:
            return await connection.scalar(text("select 1"))

    async def end() -> object:
        answer = await ask()
        await engine.dispose()
        return answer

    loop = asyncio.new_event_loop()
    assert loop.run_until_complete(ask()) == 1
    left = engine.pool._line._idle[0].driver_connection  # type: ignore[attr-defined]
    left._transport.abort()  # else it is closed, and complained of, when it is collected
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    assert asyncio.run(end()) == 1


def _pid(connection: Any) -> int:
    return int(connection.scalar(text("select pg_backend_pid()")))


def test_a_ping_is_spared_right_after_use(sync_database_url: str) -> None:
    """What came back a moment ago is given out without a round trip."""
    with threaded(sync_database_url) as engine:
        engine.connect().close()
        with engine.connect():
            assert engine.pool._checkouts  # type: ignore[attr-defined]
        record = engine.pool._line.drain()[0]  # type: ignore[attr-defined]
        record.close()
        assert record.record_info["pitstop.returned"] > 0


def test_dispose_goes_on_with_the_same_plan(sync_database_url: str) -> None:
    """After ``dispose`` the engine has a new pool with the same bounds and the same figures."""
    with threaded(sync_database_url, size=2, overflow=1) as engine:
        engine.connect().close()
        engine.dispose()
        engine.connect().close()
        status = pool_status(engine)
        assert (status.size, status.limit, status.checked_in) == (2, 3, 1)
        assert [each.kind for each in status.events].count("opened") == 3


def test_events_are_told(sync_database_url: str) -> None:
    """Who subscribes hears of connections opened and closed."""
    heard: list[PoolEvent] = []
    unsubscribe = subscribe(PoolEvent, heard.append)
    with threaded(sync_database_url, name="told") as engine:
        engine.connect().close()
    unsubscribe()
    assert {each.kind for each in heard if each.pool == "told"} == {"opened", "closed"}


def test_a_fork_leaves_the_parent_its_connections(sync_database_url: str) -> None:
    """A child opens connections of its own; those of the parent work on."""
    with threaded(sync_database_url) as engine:
        with engine.connect() as connection:
            before = _pid(connection)
        child = os.fork()
        if child == 0:
            with engine.connect() as connection:
                os._exit(_pid(connection) == before)
        assert os.waitpid(child, 0)[1] == 0
        with engine.connect() as connection:
            assert _pid(connection) == before


async def test_sessions(database_url: str, sync_database_url: str) -> None:
    """Sessions of asyncio keep their objects' attributes after a commit; those of threads as ever."""
    async with asynchronous(database_url) as engine:
        assert session_factory(engine).kw["expire_on_commit"] is False
        assert session_factory(engine, expire_on_commit=True).kw["expire_on_commit"] is True
    with threaded(sync_database_url) as sync:
        assert (
            "expire_on_commit" not in {**session_factory(sync).kw} or session_factory(sync)().expire_on_commit
        )


def test_the_url_says_which_kind() -> None:
    """An asynchronous driver makes an ``AsyncEngine``; plain addresses are psycopg's."""
    assert isinstance(create_engine("postgresql+asyncpg://ann@db/shop"), AsyncEngine)
    assert isinstance(create_engine("postgresql+psycopg_async://ann@db/shop"), AsyncEngine)
    plain = create_engine("postgresql://ann@db/shop")
    assert isinstance(plain, Engine)
    assert plain.dialect.driver == "psycopg"


@pytest.mark.parametrize(
    ("url", "options", "message"),
    [
        ("sqlite://", {}, "this address begins with sqlite://"),
        ("shop", {}, "a database address looks like"),
        ("postgresql://db/shop", {"poolclass": NullPool}, "create_engine has no poolclass, since it brings"),
        ("postgresql://db/shop", {"size": 0}, "size of pool 'shop' is 0: it must be a number, 1 or more"),
        ("postgresql://db/shop", {"workers": "4"}, "workers of pool 'shop' is '4': it must be a number"),
        ("postgresql://db/shop", {"timeout_s": 0}, "timeout_s of pool 'shop' is 0"),
        ("postgresql://db/shop", {"timeout_s": "3"}, "timeout_s of pool 'shop' is '3'"),
        ("postgresql+nothing://db/shop", {}, "nothing: install the driver, or write postgresql"),
    ],
)
def test_what_cannot_work_is_said(url: str, options: dict[str, Any], message: str) -> None:
    """A wrong address or option is an error that says what to write."""
    with pytest.raises(SettingsError, match=message):
        create_engine(url, **options)


def test_a_driver_of_the_other_kind(sync_database_url: str) -> None:
    """The typed factories refuse what they could not keep their type for, and status a pool not ours."""
    with pytest.raises(SettingsError, match=r"write postgresql\+asyncpg://"):
        create_async_engine(sync_database_url)
    from sqlalchemy import create_engine as plain

    with pytest.raises(SettingsError, match="the pool of this engine is a QueuePool"):
        pool_status(plain(sync_database_url))


def test_words_of_sqlalchemy() -> None:
    """What SQLAlchemy calls them is taken as well, so that an engine changes by its import alone."""
    engine = create_engine("postgresql://db/shop", pool_size=2, max_overflow=1, pool_timeout=3)
    assert (engine.pool.plan.size, engine.pool.plan.overflow, engine.pool.plan.timeout_s) == (2, 1, 3)


def test_arguments_of_the_user_stay(sync_database_url: str) -> None:
    """``connect_args`` and options of SQLAlchemy reach it; the time to connect is bounded unless given."""
    seen: list[dict[str, Any]] = []
    with threaded(sync_database_url, connect_args={"connect_timeout": 7}, echo=False) as engine:
        event.listen(engine, "do_connect", lambda *given: seen.append(dict(given[3])), insert=True)
        engine.connect().close()
    assert seen[0]["connect_timeout"] == 7


def test_a_pool_that_was_disposed_of_is_let_go(sync_database_url: str) -> None:
    """After ``dispose`` an engine goes on with another pool, of which its events tell; the first is freed."""
    with threaded(sync_database_url) as engine:
        engine.connect().close()
        first = weakref.ref(engine.pool)
        engine.dispose()
        gc.collect()
        assert first() is None
        with engine.connect():
            kinds = [each.kind for each in pool_status(engine).events]
        assert (kinds[-2:], kinds.count("opened") - kinds.count("closed")) == (["closed", "opened"], 1)


async def test_a_bare_connection_names_its_line(database_url: str) -> None:
    """A connection that is taken without SQLAlchemy's own around it is lent, named and given back."""
    async with asynchronous(database_url) as engine:
        bare = await engine.raw_connection()
        (holder,) = pool_status(engine).holders
        assert holder.location is not None
        assert holder.location.function == "test_a_bare_connection_names_its_line"
        bare.close()
        assert pool_status(engine).checked_out == 0
