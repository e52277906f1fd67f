"""Free TCP ports of the loopback interface."""

import socket

__all__ = ["free_port"]


def free_port(wished: int | None = None) -> int:
    """A port that is free now: the wished one if it is, or else any.

    Somebody else may take it before the caller does, so a caller tries again on a collision.
    """
    if wished is not None and _free(wished):
        return wished
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
