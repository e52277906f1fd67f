"""Whether somebody answers at an address, and lets us in."""

from pitstop.errors import ServerNotFound, SettingsError
from pitstop.postgres.address import libpq_url, place

__all__ = ["verify_postgresql", "verify_redis"]

SECONDS = 5  # to wait for an answer


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
    except SettingsError as error:
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
