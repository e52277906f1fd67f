"""How long to leave a server alone that could not be reached."""

import time

from pitstop.errors import RedisUnavailable

__all__ = ["Backoff"]

FIRST_SECONDS = 0.02
LAST_SECONDS = 1.0


class Backoff:
    """Counts failures in a row; while the pause after the last one runs, :meth:`check` raises it again."""

    def __init__(self) -> None:
        self._pause = FIRST_SECONDS
        self._until = 0.0
        self._reason: RedisUnavailable | None = None

    def check(self) -> None:
        """Raise the last failure while its pause runs.

        Raises:
            RedisUnavailable: the pause is not over.
        """
        if self._reason is not None and time.monotonic() < self._until:
            raise RedisUnavailable(str(self._reason))

    def failed(self, reason: RedisUnavailable) -> RedisUnavailable:
        """Begin a pause, twice as long as the one before; the reason is handed back."""
        self._reason = reason
        self._until = time.monotonic() + self._pause
        self._pause = min(self._pause * 2, LAST_SECONDS)
        return reason

    def succeeded(self) -> None:
        """Forget the failures."""
        self._pause, self._reason = FIRST_SECONDS, None
