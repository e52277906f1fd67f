"""Upkeep at each renewal of the lease: load locks and fences that are still needed live on."""

from collections.abc import Callable

from pitstop.cache.clock import clock
from pitstop.cache.commands import Command, Commands
from pitstop.cache.flow import LOCK_SECONDS
from pitstop.cache.redis.topology import Client
from pitstop.errors import RedisUnavailable

__all__ = ["Upkeep"]

_SECONDS = 0.25


class Upkeep:
    """Keeps the load locks and fences of this process, in the coherence thread.

    Args:
        client: the Redis.
        commands: names and scripts.
        keeping: locks that are held, by load: the key, and since when; 0 for one to be given back.
        renewals: what keeps the fences of commits that go on.
    """

    def __init__(
        self,
        client: Client,
        commands: Commands,
        *,
        keeping: dict[bytes, tuple[str, float]],
        renewals: Callable[[], list[Command]],
    ) -> None:
        self._client = client
        self._commands = commands
        self._keeping = keeping
        self._renewals = renewals

    def run(self) -> None:
        """Send what is due; what cannot be sent is due again next time, or has run out by then."""
        long_ago = clock() - LOCK_SECONDS / 4
        due = self._renewals()
        for load, (key, since) in list(self._keeping.items()):
            if not since:  # its caller was cancelled
                due.append(self._commands.fill(key, load, b"", seconds=1.0))
                self._keeping.pop(load, None)
            elif since < long_ago:
                due.append(self._commands.keep_lock(key, load, seconds=LOCK_SECONDS))
        if due:
            try:
                self._client.run_blocking(due, seconds=_SECONDS)
            except RedisUnavailable:
                return
