"""Addresses of servers: spellings of URLs, and whether somebody answers there."""

from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from pitstop.errors import ServerNotFound

__all__ = [
    "asyncpg_url",
    "libpq_url",
    "place",
    "psycopg_url",
    "verify_postgresql",
    "verify_redis",
    "with_database",
]

SECONDS = 5  # to wait for an answer

_SCHEMES = ("postgresql", "postgres", "postgresql+psycopg", "postgresql+asyncpg", "postgresql+psycopg2")


def asyncpg_url(url: str) -> str:
    """The same address for SQLAlchemy with asyncpg, which says ``ssl`` where libpq says ``sslmode``."""
    return _spelt(url, scheme="postgresql+asyncpg", ssl="ssl")


def psycopg_url(url: str) -> str:
    """The same address for SQLAlchemy with psycopg."""
    return _spelt(url, scheme="postgresql+psycopg", ssl="sslmode")


def libpq_url(url: str) -> str:
    """The same address for libpq, ``psql`` and every tool outside SQLAlchemy."""
    return _spelt(url, scheme="postgresql", ssl="sslmode")


def with_database(url: str, name: str) -> str:
    """The same server and another database of it."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{quote(name, safe='')}"))


def place(url: str) -> str:
    """Where an address points to, without its password: for messages."""
    parts = urlsplit(url)
    return f"{parts.netloc.rpartition('@')[2]}{parts.path}"


def verify_postgresql(url: str, *, origin: str) -> None:
    """Check that a PostgreSQL answers and lets us in.

    Args:
        url: in any spelling.
        origin: where the address comes from, for the message.

    Raises:
        ServerNotFound: it does not, within some seconds.
    """
    import psycopg

    try:
        target = libpq_url(url)
    except ServerNotFound as error:
        raise ServerNotFound(f"{origin}: {error}") from None
    try:
        psycopg.connect(target, connect_timeout=SECONDS).close()
    except psycopg.Error as error:
        raise _unreachable("postgresql", url, origin, error) from error


def verify_redis(url: str, *, origin: str) -> None:
    """Check that a Redis answers and lets us in.

    Args:
        url: as redis-py spells it.
        origin: where the address comes from, for the message.

    Raises:
        ServerNotFound: it does not, within some seconds.
    """
    from redis import Redis, RedisError
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    try:
        with Redis.from_url(
            url, socket_connect_timeout=SECONDS, socket_timeout=SECONDS, retry=Retry(NoBackoff(), 0)
        ) as client:
            client.ping()
    except (RedisError, OSError, ValueError) as error:
        raise _unreachable("redis", url, origin, error) from error


def _unreachable(kind: str, url: str, origin: str, error: Exception) -> ServerNotFound:
    reason = " ".join(str(error).split()).partition(" Is the server running")[0].rstrip(".")
    return ServerNotFound(
        f"the {kind} of {origin} at {place(url)} cannot be used: {reason or type(error).__name__}: "
        f"start it, correct {origin}, or leave it out for a private server"
    )


def _spelt(url: str, *, scheme: str, ssl: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES:
        raise ServerNotFound(
            f"{parts.scheme or 'an empty scheme'}:// is no address of a postgresql: "
            "write postgresql://user:password@host:port/database"
        )
    query = [(ssl if key in ("ssl", "sslmode") else key, value) for key, value in parse_qsl(parts.query)]
    spelt = urlunsplit(parts._replace(scheme=scheme, query=urlencode(query, safe="/")))
    # urlunsplit drops the empty host of postgresql:///database
    return spelt if "://" in spelt else spelt.replace(":", "://", 1)
