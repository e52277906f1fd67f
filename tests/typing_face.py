"""Never run: mypy checks that the public face keeps the types that users rely on."""

from typing import assert_type

from fastapi import FastAPI
from sqlalchemy import Engine
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session, sessionmaker

from pitstop import (
    NPlusOne,
    Pitstop,
    PitstopError,
    Queries,
    Statement,
    count_queries,
    observe,
    peer_loading,
    private_servers,
)
from pitstop.sql import Location, Observer, PeerLoading, StatementGroup


def counting(
    engine: Engine, async_engine: AsyncEngine, session: Session, async_session: AsyncSession
) -> None:
    for target in (None, engine, async_engine, session, async_session):
        with count_queries(target, everywhere=True, threshold=5, allow=["Post.*"]) as queries:
            assert_type(queries, Queries)
    assert_type(queries.count, int)
    assert_type(queries.total_ms, float)
    assert_type(queries.statements, list[Statement])
    assert_type(queries.groups(), list[StatementGroup])
    assert_type(queries.n_plus_one, list[NPlusOne])
    finding = queries.n_plus_one[0]
    assert_type(finding.location, Location | None)
    assert_type(finding.imports, tuple[str, ...])


def loading(
    session: AsyncSession, make: sessionmaker[Session], make_async: async_sessionmaker[AsyncSession]
) -> None:
    for target in (session, make, make_async, Session):
        with peer_loading(target, relationships=[], touch=2) as handle:
            assert_type(handle, PeerLoading)
    handle.close()


def observing(app: FastAPI, engine: AsyncEngine) -> None:
    with Pitstop(app, engine=engine, redis="redis://localhost:6379/0") as pitstop:
        assert_type(pitstop.enabled, bool)
    assert_type(observe(engine), Observer)


def serving() -> None:
    with private_servers(redis=False) as servers:
        assert_type(servers.database_url, str)


def failing(error: PitstopError) -> Exception:
    return error
