"""Carrying advice out on a server."""

import psycopg

from pitstop.errors import ServerError
from pitstop.pool.tune.output import statement
from pitstop.pool.tune.tuning import Tuning
from pitstop.postgres.address import libpq_url, place

__all__ = ["apply_tuning"]

_TIMEOUT_S = 10


def apply_tuning(url: str, tuning: Tuning) -> None:
    """Write each setting with ``ALTER SYSTEM`` and let the server read them; nothing is restarted.

    Args:
        url: ``postgresql://...``, with or without a driver name; its user must be allowed to.
        tuning: what to write.

    Raises:
        SettingsError: the address is not one of PostgreSQL.
        ServerError: it is a standby; or it refused, and settings before the one that the message names are
            written.
    """
    done = "nothing"
    try:
        with psycopg.connect(libpq_url(url), autocommit=True, connect_timeout=_TIMEOUT_S) as connection:
            if connection.execute("select pg_is_in_recovery()").fetchone() == (True,):
                raise ServerError(
                    f"{place(url)} is a standby, whose settings go by those of its primary: apply there, "
                    "and set here by hand what --format sql prints"
                )
            for each in tuning.advice:
                connection.execute(statement(each).encode())
                done = each.name
            connection.execute("select pg_reload_conf()")
    except psycopg.Error as error:
        reason = " ".join(str(error).split())
        if isinstance(error, psycopg.errors.InsufficientPrivilege):
            reason += "; connect as a superuser, or set what --format conf prints where the server is managed"
        raise ServerError(f"postgresql at {place(url)} refused after {done} was written: {reason}") from error
