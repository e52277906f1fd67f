"""Definitions and planner statistics of a database, carried into an empty one by pg_dump and psql."""

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import psycopg
from psycopg import sql

from pitstop.errors import ServerNotFound, WhatIfError
from pitstop.postgres.address import open_address
from pitstop.servers.program import Program, find_program

__all__ = ["create_like", "dump_statistics", "restore"]

_SECONDS = 300
_ERROR = re.compile(r"^(?:psql:[^:]*:\d+: )?ERROR:\s+(.*)$", re.MULTILINE)
_FORBIDDEN = re.compile(r"permission denied for [^\n]+")
_MOST_CHARS = 500
_LEFT_OUT = (
    "owner", "privileges", "tablespaces", "comments", "security-labels", "publications", "subscriptions",
    "policies", "table-access-method", "toast-compression",
)  # fmt: skip


def dump_statistics(address: str) -> str:
    """Everything of a database but its rows, as SQL; takes no lock that anybody but DDL waits for.

    Args:
        address: as libpq wants it.

    Raises:
        ServerNotFound: there is no pg_dump of version 18 or later.
        WhatIfError: it failed; the message says why.
    """
    options = ["--no-data", "--statistics", "--lock-wait-timeout=5s", *(f"--no-{each}" for each in _LEFT_OUT)]
    done = _run("pg_dump", address, options)
    if done.returncode != 0:
        raise WhatIfError(f"pg_dump cannot read the database: {_reason(done.stderr)}")
    return done.stdout


def _reason(told: str) -> str:
    found = _FORBIDDEN.search(told)
    if found:
        return f"{found[0]}; connect as one who may read all of it (GRANT pg_read_all_data, from 14 on)"
    return " ".join(told.split())[:_MOST_CHARS]


def create_like(
    connection: "psycopg.Connection[object]", name: str, *, plain_order: bool, settings: Mapping[str, str]
) -> None:
    """Make an empty database that plans as the target does.

    Args:
        connection: to another database of the server, as a superuser, committing each statement.
        name: of the new database.
        plain_order: text sorts by its bytes.
        settings: of the planner; one that this version does not have is left out.
    """
    provider = "locale_provider builtin builtin_locale 'C.UTF-8'" if plain_order else "locale_provider libc"
    made = f"create database {{}} template template0 encoding 'UTF8' {provider} locale 'C.UTF-8'"
    connection.execute(sql.SQL(made).format(sql.Identifier(name)))
    # Without counts the server leaves restored statistics alone when an index is made (index_update_stats).
    for setting, value in {**settings, "track_counts": "off", "jit": settings.get("jit", "off")}.items():
        _set(connection, name, setting, value)


def restore(address: str, dump: str, *, extensions: Sequence[tuple[str, str]] = ()) -> list[str]:
    """Run a dump; what fails is left out.

    Args:
        address: of the empty database.
        dump: of :func:`dump_statistics`.
        extensions: to make before, with their schemas.

    Returns:
        the messages of what failed: extensions that this server does not have, and what needs them.
    """
    before = "".join(
        f"create schema if not exists {_quoted(schema)};\n"
        f"create extension if not exists {_quoted(name)} schema {_quoted(schema)};\n"
        for name, schema in extensions
    )
    options = ["--quiet", "--no-psqlrc", "--output=/dev/null", "--set=ON_ERROR_STOP=0"]
    done = _run("psql", address, options, text=before + dump)
    if done.returncode != 0:
        raise WhatIfError(f"the copy cannot be made: {' '.join(done.stderr.split())[:500]}")
    return _ERROR.findall(done.stderr)


def _set(connection: "psycopg.Connection[object]", name: str, setting: str, value: str) -> None:
    parts = [sql.Identifier(each.strip().strip('"')) for each in value.split(",")]
    stated = sql.SQL(", ").join(parts) if setting == "search_path" else sql.Literal(value)
    try:
        connection.execute(
            sql.SQL("alter database {} set {} = {}").format(
                sql.Identifier(name), sql.Identifier(setting), stated
            )
        )
    except (
        psycopg.errors.UndefinedObject,
        psycopg.errors.InvalidParameterValue,
        psycopg.errors.CantChangeRuntimeParam,
    ):
        return


def _run(
    program: str, address: str, options: list[str], *, text: str | None = None
) -> "subprocess.CompletedProcess[str]":
    bare, secret = open_address(address)
    command = [str(_directory() / program), *options, f"--dbname={bare}"]
    try:
        return subprocess.run(
            command,
            env={**os.environ, **secret, "PGCLIENTENCODING": "UTF8", "PGCONNECT_TIMEOUT": "10"},
            input=text,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise WhatIfError(f"{program} did not end within {_SECONDS} seconds") from error


def _quoted(name: str) -> str:
    """A name out of somebody's database, for psql: nothing in it ends it."""
    return sql.Identifier(name).as_string(None)


def _directory() -> Path:
    program: Program = find_program("postgresql")
    if not all((program.directory / name).is_file() for name in ("pg_dump", "psql")):
        raise ServerNotFound(
            f"there is no pg_dump beside {program.directory / 'postgres'}: pip install 'pitstop[servers]'"
        )
    return program.directory
