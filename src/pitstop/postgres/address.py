"""The address of a database, as SQLAlchemy and its drivers spell it, for libpq."""

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from pitstop.errors import SettingsError

__all__ = ["conninfo"]


def conninfo(url: str) -> str:
    """The address in libpq's spelling.

    Args:
        url: ``postgresql://...``, with or without a driver name.

    Raises:
        SettingsError: it is not one of PostgreSQL; the message holds no password.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:  # ValueError: a port that is no number
        raise SettingsError("a database address looks like postgresql://user:password@host/name") from error
    if parsed.get_backend_name() not in ("postgresql", "postgres"):
        raise SettingsError(f"a PostgreSQL address is needed, this one begins with {parsed.drivername}://")
    if "@" in (parsed.host or ""):  # the driver would show the rest of the password as the host
        raise SettingsError("the user or password of the database address contains '@': write it as %40")
    query = {
        "sslmode" if key == "ssl" else key: value for key, value in parsed.query.items()
    }  # asyncpg's word
    return parsed.set(drivername="postgresql", query=query).render_as_string(hide_password=False)
