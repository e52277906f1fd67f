"""Whether an idle connection has news from its server: most often that it is closed."""

import select
from typing import Any

__all__ = ["has_news"]


def has_news(driver_connection: Any) -> bool:
    """Whether something came that nobody has read, or the end of the connection; without a round trip.

    A server that restarts, or ends a session, says so and closes; what is in the socket's buffer tells.

    Args:
        driver_connection: of asyncpg or psycopg, idle. Of one that does not tell its socket, False.
    """
    closed = getattr(driver_connection, "is_closed", None)  # asyncpg's, once its loop has read the end
    if closed is not None and closed():
        return True
    number = _socket_number(driver_connection)
    if number is None:
        return False
    if number < 0:
        return True
    watched = select.poll()
    watched.register(number, select.POLLIN)
    return bool(watched.poll(0))


def _socket_number(driver_connection: Any) -> int | None:
    transport = getattr(driver_connection, "_transport", None)  # asyncpg has no public word for it
    if transport is not None:
        socket = transport.get_extra_info("socket")
        return None if socket is None else int(socket.fileno())
    tells = getattr(driver_connection, "fileno", None)
    try:
        return None if tells is None else int(tells())
    except Exception:  # noqa: BLE001 - each driver has an error of its own for a connection that is closed
        return -1
