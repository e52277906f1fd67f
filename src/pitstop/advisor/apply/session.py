"""The sessions of one who carries out changes: one works, one watches; one pair at a time per database."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import resources
from typing import Any

import psycopg
from psycopg.rows import dict_row

from pitstop.advisor.apply.news import News, Patience, Report
from pitstop.errors import ApplyFailed, ServerNotFound
from pitstop.postgres import abbreviate, redact
from pitstop.postgres.address import libpq_url

__all__ = ["Session", "connect", "named_sessions", "open_session", "query_text"]

_Connection = psycopg.AsyncConnection[Any]

_CONNECT_S = 10
_QUERY_CHARS = 70
# A build takes as long as it takes. Where the client is gone, the server notices within a second: else a
# killed apply would go on for hours unseen and hold the lock that the next one needs.
_SETTINGS = {
    "statement_timeout": "0",
    "transaction_timeout": "0",
    "idle_session_timeout": "0",
    "lock_timeout": "0",
    "client_connection_check_interval": "1000",
}
_LOOKS = 4
_OURS = (1346983507, 1)
_LOCK = "select pg_try_advisory_lock(%s, %s)"
_HOLDER = (
    "select array(select pid from pg_locks where locktype = 'advisory' and granted and objsubid = 2 "
    "and classid = %s and objid = %s "
    "and database = (select oid from pg_database where datname = current_database()))"
)


@dataclass(frozen=True, slots=True)
class Session:
    """Two connections, the patience, and who is told."""

    working: _Connection
    watching: _Connection
    patience: Patience
    report: Report


@asynccontextmanager
async def open_session(url: str, *, patience: Patience, report: Report) -> AsyncIterator[Session]:
    """Connect, and keep others who carry out changes in this database waiting.

    Raises:
        ServerNotFound: nobody answers, or the server refuses.
        ApplyFailed: another has been at it all the time, or a pooler stands in between.
    """
    async with connect(url) as working, connect(url) as watching:
        await _verify_own_servers(working, watching)
        session = Session(working, watching, patience, report)
        await working.execute(query_text("settle"), [json.dumps(_SETTINGS)])
        await _be_the_only_one(session)
        yield session


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[_Connection]:
    """A connection in autocommit mode.

    Raises:
        SettingsError: the address is not one of PostgreSQL.
        ServerNotFound: nobody answers, or the server refuses.
        ApplyFailed: it is a standby, or refuses what is asked inside of the block.
    """
    try:
        connection = await psycopg.AsyncConnection.connect(
            libpq_url(url),
            autocommit=True,
            connect_timeout=_CONNECT_S,
            prepare_threshold=None,
            application_name="pitstop apply",
        )
    except psycopg.Error as error:
        raise ServerNotFound(f"cannot reach the database: {' '.join(str(error).split())}") from error
    async with connection:
        await _verify_primary(connection)
        try:
            yield connection
        except psycopg.Error as error:
            raise ApplyFailed(f"the database refused: {' '.join(str(error).split())}") from error


async def _verify_primary(connection: _Connection) -> None:
    row = await (await connection.execute("select pg_is_in_recovery()")).fetchone()
    if row and row[0]:
        where = f"{connection.info.host}:{connection.info.port}"
        raise ApplyFailed(
            f"{where} is a standby, where nothing can be changed: give the address of the primary"
        )


async def named_sessions(connection: _Connection, pids: list[int]) -> list[str]:
    """Sessions in words, oldest transaction first: pid, state, age, and the statement without its values."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query_text("sessions"), [pids])
        rows = await cursor.fetchall()
    return [
        f"process {row['pid']} ({row['state']}, {row['age_s']:,.0f} s): "
        f"{abbreviate(redact(row['query']), max_chars=_QUERY_CHARS)}"
        for row in rows
    ]


def query_text(name: str) -> bytes:
    """A question out of its file."""
    return resources.files("pitstop.advisor.apply").joinpath("sql", f"{name}.sql").read_bytes()


async def _verify_own_servers(working: _Connection, watching: _Connection) -> None:
    """That each connection has a server process of its own, as in front of PostgreSQL itself.

    A pooler in transaction mode gives the process that one connection has just used to the other, or another
    one to each transaction. In session mode it does neither.
    """
    processes = [await _process(working)]
    if processes[0] == working.info.backend_pid:
        return
    for _ in range(_LOOKS):
        async with watching.transaction():
            processes += [await _process(working)] if await _process(watching) != processes[0] else [0]
    if len(set(processes)) > 1:
        raise ApplyFailed(
            f"{working.info.host}:{working.info.port} is a connection pooler in transaction mode, "
            "through which no index can be built beside writers: give the address of PostgreSQL itself"
        )


async def _process(connection: _Connection) -> int:
    row = await (await connection.execute("select pg_backend_pid()")).fetchone()
    return int(row[0]) if row else 0


async def _be_the_only_one(session: Session) -> None:
    # Asked again and again instead of waited for: who waits in a statement holds a snapshot, and the other's
    # CREATE INDEX CONCURRENTLY would wait for that.
    loop = asyncio.get_running_loop()
    end, told = loop.time() + session.patience.wait_s, False
    while not await _scalar(session.working, _LOCK):
        others = await named_sessions(session.watching, await _scalar(session.watching, _HOLDER))
        if loop.time() > end:
            raise ApplyFailed(f"another apply is at work in this database: {'; '.join(others)}; wait for it")
        if not told and others:
            session.report(News("waits", f"another apply is at work: {'; '.join(others)}"))
            told = True
        await asyncio.sleep(session.patience.poll_s)


async def _scalar(connection: _Connection, question: str) -> Any:
    row = await (await connection.execute(question.encode(), _OURS)).fetchone()
    return row[0] if row else None
