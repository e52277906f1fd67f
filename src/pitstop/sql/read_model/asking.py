"""Where a question is asked: in a session's transaction, on a connection, or on one of an engine's own."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from sqlalchemy import Connection, Engine
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_scoped_session
from sqlalchemy.orm import Mapper, Session, scoped_session

from pitstop.errors import ReadModelError
from pitstop.sql.peers.listening import others_listen
from pitstop.sql.read_model import direct
from pitstop.sql.read_model.program import Question, Row

__all__ = ["AsyncSource", "Source", "ask", "ask_async"]

AsyncSource: TypeAlias = "AsyncSession | async_scoped_session[Any] | AsyncConnection | AsyncEngine"
Source: TypeAlias = "Session | scoped_session[Any] | Connection | Engine"
Values: TypeAlias = Mapping[str, Any]
AnyMapper: TypeAlias = "Mapper[Any]"

_AUTOCOMMIT = {"isolation_level": "AUTOCOMMIT"}


async def ask_async(source: AsyncSource, question: Question, mapper: AnyMapper, values: Values) -> Row | None:
    """The row that answers a question."""
    if isinstance(source, async_scoped_session):
        source = source()
    if isinstance(source, AsyncSession):
        return await source.run_sync(_in_session, question, mapper, values)
    if isinstance(source, AsyncConnection):
        connection = source.sync_connection
        program = None if connection is None else direct.program_for(connection, question)
        if connection is None or program is None:
            return await source.run_sync(question.ask, values)
        return await direct.ask_on(connection, question, program, values)
    if not isinstance(source, AsyncEngine):
        raise _refuse(
            source, "AsyncSession, AsyncConnection or AsyncEngine", "fetch_sync() or response_sync()"
        )
    if direct.is_asyncpg(source.dialect):
        return await direct.ask(source, question, values)
    async with source.connect() as own:
        await own.execution_options(**_AUTOCOMMIT)
        return await own.run_sync(question.ask, values)


def ask(source: Source, question: Question, mapper: AnyMapper, values: Values) -> Row | None:
    """The row that answers a question, without asyncio."""
    if isinstance(source, scoped_session):
        source = source()
    if isinstance(source, Session):
        return _in_session(source, question, mapper, values)
    if isinstance(source, Connection):
        return question.ask(source, values)
    if not isinstance(source, Engine):
        raise _refuse(source, "Session, Connection or Engine", "await fetch() or response()")
    with source.connect() as connection:
        return question.ask(connection.execution_options(**_AUTOCOMMIT), values)


def _in_session(session: Session, question: Question, mapper: AnyMapper, values: Values) -> Row | None:
    """As a query of the session's own: after its flush, in its transaction, on the mapper's connection."""
    bind: dict[str, Any] = {"mapper": mapper}
    if others_listen(session):
        question.check(values)
        return session.execute(question.statement, dict(values), bind_arguments=bind).first()
    session._autoflush()
    return question.ask(session.connection(bind_arguments=bind), values)


def _refuse(source: object, wanted: str, other: str) -> ReadModelError:
    return ReadModelError(f"cannot ask a {type(source).__name__}: give {wanted}, or use {other}")
