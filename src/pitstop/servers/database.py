"""Databases of a server: made, cloned and dropped. Blocking; meant for tests and tools."""

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from pitstop.errors import ServerError
from pitstop.postgres.address import libpq_url, place, with_database

if TYPE_CHECKING:
    from psycopg import Connection

__all__ = ["create_database", "create_template", "drop_database", "ensure_database"]

_THIS_RUN = uuid.uuid4().hex


def create_database(url: str, name: str, *, template: str | None = None) -> str:
    """Make a database, empty or as a clone.

    Args:
        url: any database of the server, in any spelling; whoever it names must be allowed to.
        name: of the new database.
        template: the database to clone; nobody may be connected to it.

    Returns:
        the address of the new database, spelt like ``url``.

    Raises:
        ServerError: the server refused; the message says why.
    """
    with _administer(url, but_not={name, template}) as connection:
        _execute(connection, "create database {} template {}", name, template or "template1")
    return with_database(url, name)


def ensure_database(url: str, name: str) -> str:
    """The address of a database, made empty if it does not exist yet.

    Raises:
        ServerError: the server refused; the message says why.
    """
    with _administer(url, but_not={name}) as connection:
        if _exists(connection, name):
            return with_database(url, name)
    return create_database(url, name)


def drop_database(url: str, name: str) -> None:
    """Drop a database if it exists, whoever is connected to it.

    Raises:
        ServerError: the server refused; the message says why.
    """
    with _administer(url, but_not={name}) as connection:
        _execute(connection, "drop database if exists {} with (force)", name)


def create_template(url: str, name: str, *, seed: Callable[[str], object]) -> str:
    """Make a seeded database once in a test run, however many parallel workers ask for it.

    Args:
        url: any database of the server.
        name: of the template; one of an earlier run is replaced.
        seed: is called with the address of a new database, spelt like ``url``; it must close
            its connections.

    Returns:
        the name, for ``create_database(..., template=name)``.

    Raises:
        ServerError: the server refused; the message says why.
    """
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", _THIS_RUN)
    with _administer(url, but_not={name}) as connection:
        # Held by the session: the first worker seeds, the others wait here and find it done.
        connection.execute("select pg_advisory_lock(hashtext('pitstop'), hashtext(%s))", [name])
        if not _made_by(connection, name, run):
            unfinished = f"{name}_unfinished"
            for each in (unfinished, name):
                _execute(connection, "drop database if exists {} with (force)", each)
            seed(create_database(url, unfinished))
            _execute(connection, "alter database {} rename to {}", unfinished, name)
            connection.execute(_compose("comment on database {} is ", name) + _literal(run))
    return name


def _exists(connection: "Connection[Any]", name: str) -> bool:
    return connection.execute("select from pg_database where datname = %s", [name]).rowcount == 1


def _made_by(connection: "Connection[Any]", name: str, run: str) -> bool:
    question = "select shobj_description(oid, 'pg_database') from pg_database where datname = %s"
    return connection.execute(question, [name]).fetchone() == (run,)


@contextmanager
def _administer(url: str, *, but_not: set[str | None]) -> "Iterator[Connection[Any]]":
    """A connection outside the databases that are about to change."""
    import psycopg

    own = unquote(urlsplit(url).path[1:])
    neutral = with_database(url, "postgres") if own in but_not else url
    try:
        with psycopg.connect(libpq_url(neutral), autocommit=True, connect_timeout=10) as connection:
            yield connection
    except psycopg.Error as error:
        raise ServerError(f"postgresql at {place(url)} refused: {' '.join(str(error).split())}") from error


def _execute(connection: "Connection[Any]", statement: str, *names: str) -> None:
    connection.execute(_compose(statement, *names))


def _compose(statement: str, *names: str) -> Any:
    from psycopg import sql

    return sql.SQL(statement).format(*map(sql.Identifier, names))


def _literal(text: str) -> Any:
    from psycopg import sql

    return sql.Literal(text)
