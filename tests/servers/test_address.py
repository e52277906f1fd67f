"""Spellings of addresses."""

import pytest
from sqlalchemy import make_url

from pitstop.servers.address import asyncpg_url, libpq_url, place, psycopg_url, with_database


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
