"""What a service's application connects with: one address, a sync and an async engine, their sessions."""

from fastapi import FastAPI
from sqlalchemy import create_engine, make_url
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import sessionmaker

from pitstop.errors import SettingsError
from pitstop.settings import load_settings

__all__ = ["configured_redis", "connect", "disconnect"]

# FastAPI runs sync endpoints in 40 threads; a thread that waits for a connection while another
# waits for a thread to give its connection back is a deadlock, so there is a connection for each.
THREADS = 40
ASYNC_CONNECTIONS = 10  # more would only queue in PostgreSQL instead of here


def connect(app: FastAPI, database_url: str | None, *, service: str) -> None:
    """Give an application's state its engines and sessions; nothing connects before the first request.

    ``engine``, ``async_engine`` and their ``sessions``, ``async_sessions``; ``reads`` and ``async_reads``
    go without a transaction, for reads of one statement.

    Args:
        database_url: any spelling of a PostgreSQL URL; None reads ``PITSTOP_DATABASE_URL``.
        service: whose application it is, e.g. ``"blog"``, for the message.

    Raises:
        SettingsError: there is no database to serve from.
    """
    url = make_url(database_url or _configured_url(service))
    app.state.engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=THREADS,
        max_overflow=0,
        connect_args={"options": "-c timezone=UTC"},
    )
    app.state.async_engine = create_async_engine(
        url.set(drivername="postgresql+asyncpg"),
        pool_size=ASYNC_CONNECTIONS,
        max_overflow=0,
        connect_args={"server_settings": {"timezone": "UTC"}},
    )
    app.state.reads = app.state.engine.execution_options(isolation_level="AUTOCOMMIT")
    app.state.async_reads = app.state.async_engine.execution_options(isolation_level="AUTOCOMMIT")
    app.state.sessions = sessionmaker(app.state.engine)
    app.state.async_sessions = async_sessionmaker(app.state.async_engine, expire_on_commit=False)


async def disconnect(app: FastAPI) -> None:
    """Close what ``connect`` opened."""
    await app.state.async_engine.dispose()
    app.state.engine.dispose()


def configured_redis() -> str | None:
    """The address in ``PITSTOP_REDIS_URL``."""
    url = load_settings().redis_url
    return None if url is None else url.get_secret_value()


def _configured_url(service: str) -> str:
    url = load_settings().database_url
    if url is None:
        raise SettingsError(
            f"no database to serve the {service} from: give database_url, set PITSTOP_DATABASE_URL, "
            f"or run 'pitstop serve {service}'"
        )
    return url.get_secret_value()
