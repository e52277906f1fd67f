"""The short way: a question by asyncpg itself, on a connection of SQLAlchemy's pool, outside transactions.

SQLAlchemy's cursor, result and transaction cost more than the question itself. Pitstop's observation is told
what was asked; SQLAlchemy's own events are not.
"""

from collections.abc import Mapping
from time import perf_counter
from typing import Any

from sqlalchemy import Connection, Dialect, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.util import greenlet_spawn

from pitstop.sql.read_model.cursor import note
from pitstop.sql.read_model.program import Program, Question, Row, is_translated
from pitstop.sql.recording import is_recording

__all__ = ["ask", "ask_on", "is_asyncpg", "program_for"]

Values = Mapping[str, Any]


def is_asyncpg(dialect: Dialect) -> bool:
    """Whether the short way exists with this driver."""
    return dialect.driver == "asyncpg" and dialect.name == "postgresql"


def program_for(connection: Connection, question: Question) -> Program | None:
    """The program to be asked by the driver itself: outside transactions for good, the text at hand."""
    if not is_asyncpg(connection.dialect) or is_translated(connection):
        return None
    autocommit = getattr(connection.connection.dbapi_connection, "autocommit", False)
    return question.program(connection.dialect) if autocommit else None


async def ask(engine: AsyncEngine, question: Question, values: Values) -> Row | None:
    """Ask on a connection of the pool's that is given back at once."""
    question.check(values)
    program = None if is_translated(engine.sync_engine) else question.program(engine.dialect)
    if program is None:
        async with engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            return await connection.run_sync(question.execute, values)
    pooled = await engine.raw_connection()
    try:
        return await _fetch(_driver(pooled), engine.sync_engine, program, values)
    except Exception:
        if _driver(pooled).is_closed():
            await greenlet_spawn(pooled.invalidate)
        raise
    except BaseException:  # cancelled: asyncpg may still be ending the statement
        await greenlet_spawn(pooled.invalidate)
        raise
    finally:
        await greenlet_spawn(pooled.close)


async def ask_on(connection: Connection, question: Question, program: Program, values: Values) -> Row | None:
    """Ask on a connection that the caller holds, in autocommit."""
    question.check(values)
    return await _fetch(_driver(connection.connection), connection, program, values)


def _driver(pooled: PoolProxiedConnection) -> Any:
    return pooled.driver_connection


async def _fetch(driver: Any, target: Connection | Engine, program: Program, values: Values) -> Row | None:
    parameters = program.parameters(values)
    started = perf_counter()
    rows = -1
    try:
        row = await driver.fetchrow(program.text, *parameters)
        rows = 0 if row is None else 1
        return row
    except Exception as error:
        raise DBAPIError(program.text, None, error, hide_parameters=True) from error
    finally:
        if is_recording():
            note(target, program.text, parameters, started, rows)
