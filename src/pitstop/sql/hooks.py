"""The hooks into SQLAlchemy: installed once, at first use, for every engine and session of the process.

They stay installed (SQLAlchemy's listener lists may not change while other threads execute). The
dialect's ``do_execute`` is hooked rather than the engine's ``before_cursor_execute``: the engine's
events are joined anew for every connection, which alone costs more than all that is done here
(``benchmarks/observation.py``). Names of SQLAlchemy that are not in its documentation and are read
here, absent-safe: ``_refresh_state`` and ``_is_user_refresh`` of the load options,
``_only_load_props`` of the compile options.
"""

import threading
from time import perf_counter
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.orm import ORMExecuteState, Session

from pitstop.postgres import fingerprint
from pitstop.sql.location import NOWHERE, find_site
from pitstop.sql.origin import Execution, Origin, origin_of
from pitstop.sql.recording import is_recording, traces_of
from pitstop.sql.records import Statement
from pitstop.sql.trace import Trace

__all__ = ["install"]

_OPTION = "pitstop_execution"

_lock = threading.Lock()
_installed = False


def install() -> None:
    """Install the hooks; harmless when they are."""
    global _installed
    with _lock:
        if _installed:
            return
        event.listen(Engine, "do_execute", _do_execute)
        event.listen(Engine, "do_execute_no_params", _do_execute_no_params)
        event.listen(Engine, "do_executemany", _do_executemany)
        event.listen(Session, "do_orm_execute", _do_orm_execute)
        _installed = True


def _do_orm_execute(state: ORMExecuteState) -> None:
    if not state.is_orm_statement or not is_recording():
        return
    if not state.is_select:
        if state.is_from_statement:
            state.update_execution_options(**{_OPTION: _query(state)})
        return
    lazy_from = state.lazy_loaded_from
    cause: Execution | None = state.execution_options.get(_OPTION)
    if cause is not None and cause.kind != "query":
        execution = _eager_load(state, cause)
    elif lazy_from is not None:
        execution = _lazy_load(state, lazy_from)
    elif state.is_column_load:
        execution = _column_load(state)
    elif state.is_relationship_load:
        execution = _eager_load(state, cause)
    else:
        execution = _query(state)
    state.update_execution_options(**{_OPTION: execution})


def _query(state: ORMExecuteState) -> Execution:
    origin = Origin(find_site(), state.bind_mapper)
    state.statement = state.statement.options(origin)
    return Execution("query", origin.site, origin=origin)


def _lazy_load(state: ORMExecuteState, loaded_from: Any) -> Execution:
    path = state.loader_strategy_path
    return Execution(
        "lazy",
        find_site(),
        origin=origin_of(loaded_from),
        path=tuple(path.path) if path is not None else (),
        state=loaded_from,
    )


def _eager_load(state: ORMExecuteState, cause: Execution | None) -> Execution:
    """A load that another one brings along; SQLAlchemy hands the options of that one down to it."""
    while cause is not None and cause.kind == "eager" and cause.cause is not None:
        cause = cause.cause
    site = cause.site if cause is not None else NOWHERE
    return Execution("eager", site, origin=cause.origin if cause is not None else None, cause=cause)


def _column_load(state: ORMExecuteState) -> Execution:
    options = state.load_options
    loaded = getattr(options, "_refresh_state", None)
    if loaded is None:
        return _query(state)
    compile_options = getattr(state.statement, "_compile_options", None)
    names = getattr(compile_options, "_only_load_props", None) or frozenset()
    return Execution(
        "column",
        find_site(),
        origin=origin_of(loaded),
        path=tuple(loaded.load_path.path),
        state=loaded,
        names=frozenset(names),
        expired=bool(loaded.expired_attributes.intersection(names)),
        user_refresh=bool(getattr(options, "_is_user_refresh", False)),
    )


def _do_execute(cursor: Any, text: str, parameters: Any, context: Any) -> bool:
    traces = _traces(context)
    if not traces:
        return False
    with _Timed(traces, cursor, text, parameters, context):
        context.dialect.do_execute(cursor, text, parameters, context)
    return True


def _do_execute_no_params(cursor: Any, text: str, context: Any) -> bool:
    traces = _traces(context)
    if not traces:
        return False
    with _Timed(traces, cursor, text, None, context):
        context.dialect.do_execute_no_params(cursor, text, context)
    return True


def _do_executemany(cursor: Any, text: str, parameters: Any, context: Any) -> bool:
    traces = _traces(context)
    if not traces:
        return False
    with _Timed(traces, cursor, text, None, context):
        context.dialect.do_executemany(cursor, text, parameters, context)
    return True


def _traces(context: Any) -> list[Trace]:
    if context is None or not is_recording():
        return []
    connection = context.root_connection
    if not connection.in_transaction():  # the dialect's own questions on its first connection
        return []
    return traces_of(connection)


class _Timed:
    """Times one cursor execution and hands it to the traces, also when it fails."""

    __slots__ = ("_context", "_cursor", "_parameters", "_started", "_text", "_traces")

    def __init__(self, traces: list[Trace], cursor: Any, text: str, parameters: Any, context: Any) -> None:
        self._traces = traces
        self._cursor = cursor
        self._text = text
        self._parameters = parameters
        self._context = context

    def __enter__(self) -> None:
        self._started = perf_counter()

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        ms = (perf_counter() - self._started) * 1000.0
        execution: Execution | None = self._context.execution_options.get(_OPTION)
        site = execution.site if execution is not None else find_site()
        shape = fingerprint(self._text)
        rows = -1 if kind is not None else self._cursor.rowcount
        statement = Statement(self._text, shape.digest, ms, rows, site.location, kind is not None)
        for trace in self._traces:
            trace.add(statement, shape, site, execution, self._parameters)
