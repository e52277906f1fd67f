"""Spellings of addresses."""

from collections.abc import Callable

import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import make_url

from pitstop.errors import SettingsError
from pitstop.postgres.address import (
    asyncpg_url,
    libpq_url,
    open_address,
    place,
    psycopg_url,
    with_database,
)


@pytest.mark.parametrize(
    "scheme", ["postgresql", "postgres", "postgresql+psycopg", "postgresql+asyncpg", "postgresql+psycopg2"]
)
@pytest.mark.parametrize("rest", ["me:p%40ss@host:5432/shop", "/shop?host=/run/postgresql"])
def test_every_spelling_names_the_same_database(scheme: str, rest: str) -> None:
    """Each spelling becomes each other one, with the rest as it was."""
    url = f"{scheme}://{rest}"
    assert asyncpg_url(url) == f"postgresql+asyncpg://{rest}"
    assert psycopg_url(url) == f"postgresql+psycopg://{rest}"
    assert libpq_url(url) == f"postgresql://{rest}"
    assert make_url(asyncpg_url(url)).database == "shop"


def test_drivers_spell_encryption_in_their_own_way() -> None:
    """asyncpg says ssl where libpq says sslmode."""
    assert asyncpg_url("postgres://h/d?sslmode=require") == "postgresql+asyncpg://h/d?ssl=require"
    assert libpq_url("postgresql+asyncpg://h/d?ssl=require") == "postgresql://h/d?sslmode=require"


def test_a_place_has_no_password() -> None:
    """What messages show of an address has neither user nor password."""
    assert place("postgres://me:secret@host:5432/shop?password=secret") == "host:5432/shop"


def test_another_database_of_the_same_server() -> None:
    """Only the database changes, and odd names are quoted."""
    assert with_database("redis://:secret@host:1/0", "7") == "redis://:secret@host:1/7"
    url = with_database("postgresql://me@host/shop?x=1", "a b/c")
    assert make_url(url).database in ("a b/c", "a%20b%2Fc")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:a%20b%2B+%27c@h:5433/shop?sslmode=require",
        "postgresql+asyncpg://ann:a%20b%2B+%27c@h:5433/shop?ssl=require",
        "postgresql+psycopg://ann@h:5433/shop?password=a%20b%2B%2B'c&sslmode=require",
    ],
)
def test_no_password_on_a_command_line(url: str) -> None:
    """The address without its password, and the password beside it, are the whole address."""
    address, environment = open_address(url)
    assert "'c" not in address
    assert environment == {"PGPASSWORD": "a b++'c"}
    whole = {**conninfo_to_dict(address), "password": environment["PGPASSWORD"]}
    assert whole == conninfo_to_dict(libpq_url(url))


@pytest.mark.parametrize("hosts", ["h", "h:1", "[::1]:1", "[::1]", "h1:1,h2:2", ""])
def test_hosts_are_left_alone(hosts: str) -> None:
    """Addresses of version 6 and several hosts reach libpq as they are."""
    assert libpq_url(f"postgres://ann:x@{hosts}/shop") == f"postgresql://ann:x@{hosts}/shop"


@pytest.mark.parametrize(
    "url", ["mysql://h/shop", "shop", "postgresql://ann:se@ret@h/shop", "postgresql://ann:se/ret@h/shop"]
)
def test_other_addresses(url: str) -> None:
    """What is no address of a PostgreSQL is refused without a word of the password."""
    with pytest.raises(SettingsError) as refused:
        libpq_url(url)
    assert "ret" not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["postgresql://[::1/shop", "postgresql://ann:se[word]@h/shop", "postgres://a]@h"]
)
@pytest.mark.parametrize("read", [libpq_url, place, lambda url: with_database(url, "other")])
def test_brackets(url: str, read: Callable[[str], str]) -> None:
    """A bracket too many is refused in the words of the address, without the password."""
    with pytest.raises(SettingsError, match="%5B") as refused:
        read(url)
    assert "word]" not in str(refused.value)


def test_many_hosts() -> None:
    """A long list of hosts is read at once, and one that is wrong is refused at once."""
    hosts = "h:1," * 5000 + "h:1"
    assert libpq_url(f"postgres://{hosts}/shop") == f"postgresql://{hosts}/shop"
    with pytest.raises(SettingsError):
        libpq_url(f"postgres://{hosts}:wrong/shop")
