"""What a service connects with: one address; the engines of the naive and of the tuned forms."""

from fastapi import FastAPI
from sqlalchemy import URL, Engine, create_engine, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine
from sqlalchemy.orm import sessionmaker

from pitstop import pool
from pitstop.errors import SettingsError
from pitstop.settings import load_settings

__all__ = ["configured_redis", "connect", "disconnect"]

# FastAPI runs sync endpoints in 40 threads; a thread that waits for a connection while another
# waits for a thread to give its connection back is a deadlock, so there is a connection for each.
THREADS = 40
ASYNC_CONNECTIONS = 10  # more would only queue in PostgreSQL instead of here
UTC = {"options": "-c timezone=UTC"}
ASYNC_UTC = {"server_settings": {"timezone": "UTC"}}


def connect(app: FastAPI, database_url: str | None, *, service: str) -> None:
    """Give an application's state its engines and sessions; nothing connects before the first request.

    Naive forms get ``plain_engine``, ``plain_async_engine`` by SQLAlchemy's own factory, and their
    ``sessions``, ``async_sessions``. Tuned ones get Pitstop's ``engine`` and ``async_engine``; ``reads`` and
    ``async_reads`` go without a transaction, for reads of one statement, and ``async_writes`` are sessions.

    Args:
        database_url: any spelling of a PostgreSQL URL; None reads ``PITSTOP_DATABASE_URL``.
        service: whose application it is, e.g. ``"blog"``, for the message.

    Raises:
        SettingsError: there is no database to serve from.
    """
    url = make_url(database_url or _configured_url(service))
    sync_url, async_url = (url.set(drivername=f"postgresql+{driver}") for driver in ("psycopg", "asyncpg"))
    state = app.state
    state.plain_engine, state.plain_async_engine = _plain(sync_url, async_url)
    state.sessions = sessionmaker(state.plain_engine)
    state.async_sessions = async_sessionmaker(state.plain_async_engine, expire_on_commit=False)
    state.engine = pool.create_sync_engine(sync_url, size=THREADS, overflow=0, connect_args=UTC)
    state.async_engine = pool.create_async_engine(
        async_url, size=ASYNC_CONNECTIONS, overflow=0, connect_args=ASYNC_UTC
    )
    state.reads = state.engine.execution_options(isolation_level="AUTOCOMMIT")
    state.async_reads = state.async_engine.execution_options(isolation_level="AUTOCOMMIT")
    state.async_writes = pool.session_factory(state.async_engine)


async def disconnect(app: FastAPI) -> None:
    """Close what ``connect`` opened."""
    await app.state.async_engine.dispose()
    await app.state.plain_async_engine.dispose()
    app.state.engine.dispose()
    app.state.plain_engine.dispose()


def configured_redis() -> str | None:
    """The address in ``PITSTOP_REDIS_URL``."""
    url = load_settings().redis_url
    return None if url is None else url.get_secret_value()


def _plain(sync_url: URL, async_url: URL) -> tuple[Engine, AsyncEngine]:
    return (
        create_engine(sync_url, pool_size=THREADS, max_overflow=0, connect_args=UTC),
        create_async_engine(async_url, pool_size=ASYNC_CONNECTIONS, max_overflow=0, connect_args=ASYNC_UTC),
    )


def _configured_url(service: str) -> str:
    url = load_settings().database_url
    if url is None:
        raise SettingsError(
            f"no database to serve the {service} from: give database_url, set PITSTOP_DATABASE_URL, "
            f"or run 'pitstop serve {service}'"
        )
    return url.get_secret_value()
