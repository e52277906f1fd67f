"""The engine factory: pools that fit the server, wait fairly, fail clearly, and work behind PgBouncer."""

from typing import Any, overload

from sqlalchemy import URL, Engine, event, make_url
from sqlalchemy import create_engine as sqlalchemy_engine
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.ext.asyncio import create_async_engine as sqlalchemy_async_engine
from sqlalchemy.orm import Session, sessionmaker

from pitstop.errors import SettingsError
from pitstop.pool.fair import AsyncFairPool, FairPool
from pitstop.pool.plan import Plan
from pitstop.pool.status import PoolStatus

__all__ = ["create_async_engine", "create_engine", "create_sync_engine", "pool_status", "session_factory"]

SIZE, OVERFLOW = 20, 40
BACKGROUND_SIZE, BACKGROUND_OVERFLOW = 5, 0
CONNECT_S = 10

# What works behind any pooler in transaction mode: no prepared statement outlives the message that makes it.
# asyncpg then sends each statement whole and unnamed. With unique names instead, as is often advised,
# autocommit fails now and then, and every statement stays prepared in the server.
_SAFE: dict[str, dict[str, Any]] = {
    "asyncpg": {"statement_cache_size": 0, "prepared_statement_cache_size": 0},
    "psycopg": {"prepare_threshold": None},
    "psycopg_async": {"prepare_threshold": None},
}
_CONNECT_TIMEOUT = {"asyncpg": "timeout"}  # the others say connect_timeout
_PLAIN = {"postgresql": "psycopg", "postgres": "psycopg"}


def create_engine(url: str | URL, **options: Any) -> Any:
    """Make an engine whose pool fits the server: ``AsyncEngine`` or ``Engine``, by the URL's driver.

    ::

        engine = create_engine("postgresql+asyncpg://...", workers=4)

    A type checker cannot read URLs: :func:`create_async_engine` and :func:`create_sync_engine` are the same
    with types, and refuse a driver of the other kind. All take the same options.

    The first connection asks the server for ``max_connections`` (at the first use, not here). Then a
    pool opens no more than its worker's share of it. Whoever waits is served in turn; who gets none within
    ``timeout_s`` gets :class:`~pitstop.errors.PoolExhausted`, which says who holds the connections.

    Args:
        url: of a PostgreSQL: ``postgresql+asyncpg://``, ``postgresql+psycopg_async://`` are asynchronous;
            ``postgresql+psycopg://``, ``postgresql+psycopg2://`` and ``postgresql://`` (psycopg) are not.
        options: those of :func:`create_async_engine`.

    Raises:
        SettingsError: the address is none of PostgreSQL, or an option has a value that cannot work.
    """
    address = _address(url)
    make = create_async_engine if address.get_dialect().is_async else create_sync_engine
    return make(address, **options)


def create_async_engine(
    url: str | URL,
    *,
    workers: int = 1,
    background: bool = False,
    size: int | None = None,
    overflow: int | None = None,
    timeout_s: float = 30.0,
    recycle_s: int = 1800,
    pre_ping: bool = True,
    max_waiting: int | None = None,
    pooler: bool | None = None,
    name: str | None = None,
    **engine_options: Any,
) -> AsyncEngine:
    """:func:`create_engine` for asyncio.

    Args:
        url: as there.
        workers: processes that make an engine like this, all hosts together; they share the server's
            connections. Behind a pooler there is no bound: it has its own.
        background: for work that nobody waits for: size 5, overflow 0.
        size: connections that stay open; 20.
        overflow: more of them under load; 40.
        timeout_s: how long to wait for one, seconds.
        recycle_s: age at which a connection is replaced, seconds.
        pre_ping: whether a connection is tried before it is given out.
        max_waiting: how many may wait; who comes after them gets the error at once. None: any number.
        pooler: whether PgBouncer or its like stands in between; None to find out.
        name: of the pool in messages; the database's unless given.
        engine_options: of SQLAlchemy's ``create_async_engine``; its words for a pool (``pool_size``,
            ``max_overflow``, ``pool_timeout``, ``pool_recycle``, ``pool_pre_ping``) are taken as well.

    Raises:
        SettingsError: the driver of the address is not asynchronous, or an option cannot work.
    """
    address = _of_kind(_address(url), asynchronous=True)
    plan = _plan(
        address,
        workers=workers,
        background=background,
        **_own_words(engine_options, size, overflow, timeout_s),
        max_waiting=max_waiting,
        pooler=pooler,
        name=name,
    )
    options = _options(address, engine_options, recycle_s=recycle_s, pre_ping=pre_ping)
    engine = sqlalchemy_async_engine(address, poolclass=AsyncFairPool, plan=plan, **options)
    _connect_safely(engine.sync_engine)
    return engine


def create_sync_engine(
    url: str | URL,
    *,
    workers: int = 1,
    background: bool = False,
    size: int | None = None,
    overflow: int | None = None,
    timeout_s: float = 30.0,
    recycle_s: int = 1800,
    pre_ping: bool = True,
    max_waiting: int | None = None,
    pooler: bool | None = None,
    name: str | None = None,
    **engine_options: Any,
) -> Engine:
    """:func:`create_engine` for threads; the arguments are those of :func:`create_async_engine`.

    Raises:
        SettingsError: the driver of the address is asynchronous, or an option cannot work.
    """
    address = _of_kind(_address(url), asynchronous=False)
    plan = _plan(
        address,
        workers=workers,
        background=background,
        **_own_words(engine_options, size, overflow, timeout_s),
        max_waiting=max_waiting,
        pooler=pooler,
        name=name,
    )
    options = _options(address, engine_options, recycle_s=recycle_s, pre_ping=pre_ping)
    engine = sqlalchemy_engine(address, poolclass=FairPool, plan=plan, **options)
    _connect_safely(engine)
    return engine


@overload
def session_factory(engine: AsyncEngine, **options: Any) -> async_sessionmaker[AsyncSession]: ...
@overload
def session_factory(engine: Engine, **options: Any) -> sessionmaker[Session]: ...
def session_factory(engine: Engine | AsyncEngine, **options: Any) -> Any:
    """Make sessions of an engine.

    Those of an ``AsyncEngine`` do not expire their objects at a commit: to load an expired attribute they
    would have to await.

    Args:
        engine: any.
        options: of ``sessionmaker``.
    """
    if isinstance(engine, AsyncEngine):
        return async_sessionmaker(engine, **{"expire_on_commit": False, **options})
    return sessionmaker(engine, **options)


def pool_status(engine: Engine | AsyncEngine) -> PoolStatus:
    """How a pool is doing now.

    Raises:
        SettingsError: the engine was not made by :func:`create_engine`.
    """
    pool = engine.pool
    if not isinstance(pool, FairPool):
        raise SettingsError(
            f"the pool of this engine is a {type(pool).__name__}: make the engine with pitstop.create_engine"
        )
    return pool.told()


def _address(url: str | URL) -> URL:
    try:
        address = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise SettingsError("a database address looks like postgresql://user:password@host/name") from error
    driver = _PLAIN.get(address.drivername)
    if driver is not None:
        address = address.set(drivername=f"postgresql+{driver}")
    _verify_driver(address)
    if address.get_backend_name() != "postgresql":
        raise SettingsError(
            f"create_engine makes pools for PostgreSQL and this address begins with {address.drivername}://: "
            "use SQLAlchemy's own create_engine"
        )
    return address


def _verify_driver(address: URL) -> None:
    try:
        address.get_dialect().import_dbapi()
    except (NoSuchModuleError, ImportError) as error:
        raise SettingsError(
            f"{address.drivername}:// cannot be used, {str(error).rstrip('.')}: install the driver, or write "
            "postgresql+asyncpg:// or postgresql+psycopg://"
        ) from error


def _of_kind(address: URL, *, asynchronous: bool) -> URL:
    if address.get_dialect().is_async != asynchronous:
        wanted = "postgresql+asyncpg://" if asynchronous else "postgresql+psycopg://"
        raise SettingsError(f"{address.drivername}:// is of the other kind here: write {wanted}")
    return address


def _own_words(
    given: dict[str, Any], size: int | None, overflow: int | None, timeout_s: float
) -> dict[str, Any]:
    """Size, overflow and time-out, for which SQLAlchemy's words are taken as well."""
    return {
        "size": given.pop("pool_size", size),
        "overflow": given.pop("max_overflow", overflow),
        "timeout_s": given.pop("pool_timeout", timeout_s),
    }


def _plan(
    address: URL,
    *,
    background: bool,
    size: int | None,
    overflow: int | None,
    name: str | None,
    pooler: bool | None,
    **options: Any,
) -> Plan:
    usual = (BACKGROUND_SIZE, BACKGROUND_OVERFLOW) if background else (SIZE, OVERFLOW)
    return Plan(
        name=name or address.database or "postgresql",
        size=usual[0] if size is None else size,
        overflow=usual[1] if overflow is None else overflow,
        pooler=pooler,
        has_safe_arguments=address.get_driver_name() in _SAFE,
        **options,
    )


def _options(address: URL, given: dict[str, Any], *, recycle_s: int, pre_ping: bool) -> dict[str, Any]:
    clashing = {"poolclass", "pool"} & given.keys()
    if clashing:
        raise SettingsError(
            f"create_engine has no {', '.join(sorted(clashing))}, since it brings its own pool: for another, "
            "such as a NullPool in tests, use SQLAlchemy's own create_engine"
        )
    timeout = _CONNECT_TIMEOUT.get(address.get_driver_name(), "connect_timeout")
    arguments = {**given.pop("connect_args", {})}
    if timeout not in address.query:
        arguments.setdefault(timeout, CONNECT_S)  # a host that does not answer would hold up for minutes
    return {"connect_args": arguments, "pool_recycle": recycle_s, "pool_pre_ping": pre_ping, **given}


def _connect_safely(engine: Engine) -> None:
    """Leave prepared statements alone, unless it is known that no pooler stands in between."""
    safe = _SAFE.get(engine.dialect.driver, {})

    def connect(dialect: Any, _: Any, arguments: Any, options: dict[str, Any]) -> Any:
        pool = engine.pool
        surveyed = pool.surveyed if isinstance(pool, FairPool) else None
        if surveyed is not None and not surveyed.pooler:
            return None
        return dialect.connect(*arguments, **{**options, **safe})

    if safe:
        event.listen(engine, "do_connect", connect)
