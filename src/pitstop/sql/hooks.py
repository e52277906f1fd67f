"""The hooks into SQLAlchemy: installed once, at first use, for every engine of the process.

Only the dialect's ``do_execute`` events are used. The engine's events are joined anew for every
connection, and a listener on ``do_orm_execute`` makes SQLAlchemy prepare each ORM statement twice; either
costs more than all that is done here (``benchmarks/observation.py``). What the ORM is doing stands in the
execution options of the statement when it reaches the cursor. The hooks stay installed, because
SQLAlchemy's listener lists may not change while other threads execute.
"""

import logging
import threading
from collections.abc import Callable
from time import perf_counter
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import MissingGreenlet

from pitstop.location import Site, find_site
from pitstop.postgres import fingerprint
from pitstop.sql.lineage import PEER_OF, Execution, Origin, next_run
from pitstop.sql.recording import is_counting, is_recording, tell, traces_of
from pitstop.sql.records import Seen
from pitstop.sql.requests import request_number
from pitstop.sql.trace import Trace

__all__ = ["install"]

# Frames between a line of the user's and _record, at the least: ours and SQLAlchemy's own.
_DRIVER_SQL_FRAMES = 6  # _run, _do_execute, _exec_single_context, _execute_context, exec_driver_sql
_STATEMENT_FRAMES = 8  # ... _execute_context, _execute_clauseelement, _execute_on_connection, execute

_log = logging.getLogger("pitstop.sql")
_lock = threading.Lock()
_installed = False
_warned = False


def install() -> None:
    """Install the hooks; harmless when they are."""
    global _installed
    with _lock:
        if _installed:
            return
        event.listen(Engine, "do_execute", _do_execute)
        event.listen(Engine, "do_execute_no_params", _do_execute_no_params)
        event.listen(Engine, "do_executemany", _do_executemany)
        _installed = True


def _do_execute(cursor: Any, text: str, parameters: Any, context: Any) -> bool:
    traces = _traces(context)
    if traces:
        execute = context.dialect.do_execute
        _run(traces, context, parameters, execute, cursor, text, parameters, context)
    return bool(traces)


def _do_execute_no_params(cursor: Any, text: str, context: Any) -> bool:
    traces = _traces(context)
    if traces:
        _run(traces, context, None, context.dialect.do_execute_no_params, cursor, text, context)
    return bool(traces)


def _do_executemany(cursor: Any, text: str, parameters: Any, context: Any) -> bool:
    traces = _traces(context)
    if traces:
        execute = context.dialect.do_executemany
        _run(traces, context, None, execute, cursor, text, parameters, context)
    return bool(traces)


def _run(
    traces: list[Trace],
    context: Any,
    parameters: Any,
    execute: Callable[..., None],
    cursor: Any,
    text: str,
    *arguments: Any,
) -> None:
    """Execute, and record it with the parameters that tell one run from another."""
    started = perf_counter()
    try:
        execute(cursor, text, *arguments)
    except MissingGreenlet:  # a lazy load in async code: nothing was sent, so nothing is counted
        _record(traces, started, text, parameters, context, -1, forbidden=True)
        raise
    except BaseException:
        _record(traces, started, text, parameters, context, -1, failed=True)
        raise
    _record(traces, started, text, parameters, context, cursor.rowcount)


def _traces(context: Any) -> list[Trace]:
    if context is None or not is_recording():
        return []
    connection = context.root_connection
    if not connection.in_transaction():  # the dialect's own questions on its first connection
        return []
    return traces_of(connection)


def _record(
    traces: list[Trace],
    started: float,
    text: str,
    parameters: Any,
    context: Any,
    rows: int,
    *,
    failed: bool = False,
    forbidden: bool = False,
) -> None:
    """Tell what was executed; no failure of ours may undo it."""
    ms = (perf_counter() - started) * 1000.0
    try:
        site = find_site(_DRIVER_SQL_FRAMES if context.invoked_statement is None else _STATEMENT_FRAMES)
        request = request_number() if is_counting() else 0
        if request:  # the same way in another request is another way
            site = site._replace(stack=hash((site.stack, request)))
        execution = _execution(context, site)
        seen = Seen(text, fingerprint(text), ms, rows, failed, site, execution, parameters, next_run())
        if not forbidden:
            tell(traces, seen)
        else:
            for trace in traces:
                trace.forbid(seen)
    except Exception as error:  # noqa: BLE001 - said in the log, once
        _warn(error)


def _warn(error: Exception) -> None:
    global _warned
    if not _warned:
        _warned = True
        name = type(error).__name__
        _log.warning("a statement was not observed (said once): %s: %s", name, error, exc_info=error)


def _execution(context: Any, site: Site) -> Execution | Origin | None:
    """What the ORM is doing, or None for Core."""
    statement = context.invoked_statement
    attributes = getattr(statement, "_propagate_attrs", None)
    if not attributes or attributes.get("compile_state_plugin") != "orm":
        return None
    subject = attributes.get("plugin_subject")
    entity = getattr(subject, "mapper", None)
    options = context.execution_options.get("_sa_orm_load_options")
    if options is None:
        return Origin(site, entity, is_alias=getattr(subject, "is_aliased_class", False))
    compiled = getattr(statement, "_compile_options", None)
    path = tuple(getattr(getattr(compiled, "_current_path", None), "path", ()))
    # a peer load is one statement for all rows of a load: as an eager one of that load
    outer = context.execution_options.get(PEER_OF) or getattr(options, "_sa_top_level_orm_context", None)
    lazy_from = getattr(options, "_lazy_loaded_from", None)
    refreshed = getattr(options, "_refresh_state", None)
    if lazy_from is not None:
        return Execution("lazy", site, path=path, state=lazy_from, outer=outer)
    if refreshed is None and (path or outer is not None):
        return Execution("eager", site, path=path, outer=outer)
    if refreshed is None:
        return Origin(site, entity, is_alias=getattr(subject, "is_aliased_class", False))
    names = frozenset(getattr(compiled, "_only_load_props", None) or ())
    return Execution(
        "column",
        site,
        state=refreshed,
        names=names,
        expired=bool(refreshed.expired_attributes.intersection(names)),
        user_refresh=bool(getattr(options, "_is_user_refresh", False)),
        outer=outer,
    )
