"""Addresses of databases: the spelling of each driver, and what may be shown of them."""

import re
from urllib.parse import SplitResult, parse_qsl, quote, urlencode, urlsplit, urlunsplit

from pitstop.errors import SettingsError

__all__ = ["asyncpg_url", "libpq_url", "open_address", "place", "psycopg_url", "with_database"]

_SCHEMES = ("postgresql", "postgres", "postgresql+psycopg", "postgresql+asyncpg", "postgresql+psycopg2")
_HOST = r"(?:\[[^\]@]*\]|[^\[\]:@,]*)(?::\d*)?"  # host:port, [::1]:port
_HOSTS = re.compile(rf"{_HOST}(?:,{_HOST})*")


def asyncpg_url(url: str) -> str:
    """The same address for SQLAlchemy with asyncpg, which says ``ssl`` where libpq says ``sslmode``.

    Raises:
        SettingsError: it is not one of PostgreSQL; the message holds no password.
    """
    return _spelt(url, scheme="postgresql+asyncpg", ssl="ssl")


def psycopg_url(url: str) -> str:
    """The same address for SQLAlchemy with psycopg.

    Raises:
        SettingsError: as of :func:`asyncpg_url`.
    """
    return _spelt(url, scheme="postgresql+psycopg", ssl="sslmode")


def libpq_url(url: str) -> str:
    """The same address for libpq, ``psql`` and every tool outside SQLAlchemy.

    Raises:
        SettingsError: as of :func:`asyncpg_url`.
    """
    return _spelt(url, scheme="postgresql", ssl="sslmode")


def open_address(url: str) -> tuple[str, dict[str, str]]:
    """The address for a command line, which everybody may read, and the environment with its password.

    Raises:
        SettingsError: as of :func:`asyncpg_url`.
    """
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    words = conninfo_to_dict(libpq_url(url))
    password = words.pop("password", None)
    return make_conninfo("", **words), {"PGPASSWORD": str(password)} if password else {}


def with_database(url: str, name: str) -> str:
    """The same server and another database of it.

    Raises:
        SettingsError: it is no address at all; the message holds no password.
    """
    return urlunsplit(_split(url)._replace(path=f"/{quote(name, safe='')}"))


def place(url: str) -> str:
    """Where an address points to, without its password: for messages.

    Raises:
        SettingsError: as of :func:`with_database`.
    """
    parts = _split(url)
    return f"{parts.netloc.rpartition('@')[2]}{parts.path}"


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:  # says the host, which is a part of a password that has a bracket
        raise SettingsError(
            "the host of the database address has a bracket too many or too few: "
            "write '[' and ']' in a user or password as %5B and %5D"
        ) from None


def _spelt(url: str, *, scheme: str, ssl: str) -> str:
    parts = _split(url)
    if "://" not in url:
        raise SettingsError("a database address looks like postgresql://user:password@host:port/database")
    if parts.scheme not in _SCHEMES:
        raise SettingsError(
            f"{parts.scheme}:// is no address of a postgresql: "
            "write postgresql://user:password@host:port/database"
        )
    # A driver would take what is left of the password as the host, and show it.
    login, _, hosts = parts.netloc.rpartition("@")
    if "@" in login or not _HOSTS.fullmatch(hosts):
        raise SettingsError(
            "the database address has something else than host:port after its password: "
            "write '@' in a user or password as %40, '/' as %2F, '#' as %23, '?' as %3F"
        )
    query = [(ssl if key in ("ssl", "sslmode") else key, value) for key, value in parse_qsl(parts.query)]
    # libpq knows a blank as %20 only
    spelt = urlunsplit(parts._replace(scheme=scheme, query=urlencode(query, safe="/", quote_via=quote)))
    # urlunsplit drops the empty host of postgresql:///database
    return spelt if "://" in spelt else spelt.replace(":", "://", 1)
