"""The servers of a ``with`` block: private ones, or those that the user names."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pitstop.errors import ServerNotFound
from pitstop.postgres.address import asyncpg_url, psycopg_url
from pitstop.servers.lease import Lease
from pitstop.servers.program import Kind
from pitstop.servers.verifying import verify_postgresql, verify_redis

__all__ = ["Servers", "open_servers", "own_postgresql", "private_servers"]

DATABASE_VARIABLE = "PITSTOP_DATABASE_URL"
REDIS_VARIABLE = "PITSTOP_REDIS_URL"


class Servers:
    """Addresses of servers that are up.

    They carry passwords, so ``repr`` shows none of them.

    Attributes:
        directory: where private servers keep their data and logs; None if both were given.
        private: which of ``"postgresql"`` and ``"redis"`` are private: nobody else's data is there.
    """

    __slots__ = ("_database_url", "_redis_url", "directory", "private")

    def __init__(
        self,
        *,
        database_url: str | None,
        redis_url: str | None,
        directory: Path | None,
        private: frozenset[Kind],
    ) -> None:
        self._database_url = database_url
        self._redis_url = redis_url
        self.directory = directory
        self.private = private

    def __repr__(self) -> str:
        kinds = " and ".join(sorted(self.private)) or "nothing"
        return f"<Servers private: {kinds}, directory: {self.directory}>"

    @property
    def database_url(self) -> str:
        """The database for SQLAlchemy with asyncpg: ``postgresql+asyncpg://...``."""
        return asyncpg_url(self._need(self._database_url, "postgresql"))

    @property
    def sync_database_url(self) -> str:
        """The same database for SQLAlchemy with psycopg: ``postgresql+psycopg://...``."""
        return psycopg_url(self._need(self._database_url, "postgresql"))

    @property
    def redis_url(self) -> str:
        """The Redis: ``redis://...``."""
        return self._need(self._redis_url, "redis")

    @staticmethod
    def _need(url: str | None, kind: Kind) -> str:
        if url is None:
            raise ServerNotFound(f"no {kind} was asked for: leave {kind}=False out of private_servers()")
        return url


@contextmanager
def private_servers(
    directory: str | os.PathLike[str] | None = None,
    *,
    postgresql: bool = True,
    redis: bool = True,
    database_url: str | None = None,
    redis_url: str | None = None,
) -> Iterator[Servers]:
    """Start a PostgreSQL and a Redis of one's own, and stop them at the end.

    They listen on the loopback interface, on free ports, with random passwords. Whoever asks for
    the same directory, in any process, shares the same servers; they stop when the last block ends
    or its process dies, by whatever cause. A forked child may use them but does not hold them.

    Args:
        directory: keeps the data for the next time; None for a temporary one, deleted at the end.
        postgresql: start a PostgreSQL: ``pg_stat_statements``, ``auto_explain`` and ``pg_trgm``
            are ready, the user ``pitstop`` is superuser, text is UTF-8.
        redis: start a Redis.
        database_url: use this PostgreSQL instead; default ``PITSTOP_DATABASE_URL``, if set.
        redis_url: use this Redis instead; default ``PITSTOP_REDIS_URL``, if set.

    Raises:
        ServerNotFound: no server program is installed, or nobody answers at a given address.
        ServerStartFailed: a server did not come up; the message holds the end of its log.
    """
    path = None if directory is None else Path(directory).expanduser().absolute()
    with open_servers(
        path, postgresql=postgresql, redis=redis, database_url=database_url, redis_url=redis_url
    ) as servers:
        yield servers


@contextmanager
def open_servers(
    directory: Path | None,
    *,
    postgresql: bool = True,
    redis: bool = True,
    database_url: str | None = None,
    redis_url: str | None = None,
    temporary: bool = False,
    only_private: bool = False,
) -> Iterator[Servers]:
    """The work of ``private_servers``; here a shared directory can be ``temporary`` too.

    With ``only_private`` the servers that the environment names are left alone.
    """
    # The one exception to "rooms read no settings": this is the door for tests, bench and serve.
    given: dict[Kind, str | None] = {
        "postgresql": _given_postgresql(database_url) if postgresql and not only_private else None,
        "redis": _given_redis(redis_url) if redis and not only_private else None,
    }
    asked: dict[Kind, bool] = {"postgresql": postgresql, "redis": redis}
    kinds = [kind for kind, wanted in asked.items() if wanted and given[kind] is None]
    with _leased(given, kinds, directory, temporary=temporary) as servers:
        yield servers


@contextmanager
def own_postgresql() -> Iterator[Servers]:
    """A temporary PostgreSQL that is private whatever the settings say: for what needs its files.

    Raises:
        ServerNotFound: no server program is installed.
        ServerStartFailed: it did not come up; the message holds the end of its log.
    """
    given: dict[Kind, str | None] = {"postgresql": None, "redis": None}
    with _leased(given, ["postgresql"], None, temporary=True) as servers:
        yield servers


@contextmanager
def _leased(
    given: dict[Kind, str | None], kinds: list[Kind], directory: Path | None, *, temporary: bool
) -> Iterator[Servers]:
    with ExitStack() as stack:
        urls, directory = dict(given), directory if kinds else None
        if kinds:
            lease = Lease(directory, kinds, temporary=temporary)
            stack.callback(lease.close)
            urls |= _urls(lease)
            directory = lease.directory
        yield Servers(
            database_url=urls["postgresql"],
            redis_url=urls["redis"],
            directory=directory,
            private=frozenset(kinds),
        )


def _given_postgresql(url: str | None) -> str | None:
    origin = "database_url" if url else DATABASE_VARIABLE
    url = url or os.environ.get(DATABASE_VARIABLE)
    if url:
        verify_postgresql(url, origin=origin)
    return url or None


def _given_redis(url: str | None) -> str | None:
    origin = "redis_url" if url else REDIS_VARIABLE
    url = url or os.environ.get(REDIS_VARIABLE)
    if url:
        verify_redis(url, origin=origin)
    return url or None


def _urls(lease: Lease) -> dict[Kind, str | None]:
    urls: dict[Kind, str | None] = {}
    for kind, server in lease.servers.items():
        where = f"{server['password']}@127.0.0.1:{server['port']}"
        urls[kind] = (
            f"postgresql://pitstop:{where}/pitstop" if kind == "postgresql" else f"redis://:{where}/0"
        )
    return urls
