"""A statement on the driver's own cursor, inside the transaction of a connection of SQLAlchemy's.

SQLAlchemy's execution context and result cost as much as the question itself. Pitstop's observation is told
what was asked; that nobody else listens is for the caller to see to.
"""

from time import perf_counter
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from pitstop.location import find_site
from pitstop.postgres import fingerprint
from pitstop.sql.lineage import next_run
from pitstop.sql.recording import is_recording, tell, traces_of
from pitstop.sql.records import Seen

__all__ = ["ask", "note"]


def ask(connection: Connection, text: str, parameters: Any) -> Any:
    """The one row, or None.

    Raises:
        DBAPIError: as SQLAlchemy would raise it, the parameters left out.
    """
    cursor = connection.connection.cursor()
    started = perf_counter()
    rows = -1
    try:
        cursor.execute(text, parameters)
        row = cursor.fetchone()
        rows = 0 if row is None else 1
        return row
    except connection.dialect.loaded_dbapi.Error as error:
        raise _wrapped(connection, cursor, text, error) from error
    except BaseException as error:
        if not isinstance(error, Exception):  # cancelled: the statement may still be going on
            connection.invalidate(error)
        raise
    finally:
        cursor.close()
        if is_recording():
            note(connection, text, parameters, started, rows)


def note(target: Any, text: str, parameters: Any, started: float, rows: int) -> None:
    """Tell whoever records on a connection or engine; fewer than no rows are a failure."""
    traces = traces_of(target)
    if not traces:
        return
    ms = (perf_counter() - started) * 1000.0
    seen = Seen(text, fingerprint(text), ms, rows, rows < 0, find_site(2), None, parameters, next_run())
    tell(traces, seen)


def _wrapped(connection: Connection, cursor: Any, text: str, error: Any) -> BaseException:
    dialect = connection.dialect
    lost = dialect.is_disconnect(error, connection.connection.dbapi_connection, cursor)
    if lost:
        connection.invalidate(error)
    wrapped: BaseException = DBAPIError.instance(
        text,
        None,
        error,
        dialect.loaded_dbapi.Error,
        hide_parameters=True,
        connection_invalidated=lost,
        dialect=dialect,
    )
    return wrapped
