"""One piece of advice: a setting, its value, why, and where that comes from."""

from dataclasses import dataclass, replace

from pitstop.postgres.server import ServerState

__all__ = ["Advice"]

_RESTART = frozenset(
    ("max_connections", "max_worker_processes", "shared_buffers", "shared_preload_libraries", "wal_buffers")
)
_NEAR = 0.1  # a number that is so near needs no change


@dataclass(frozen=True, slots=True)
class Advice:
    """A setting to change.

    Attributes:
        name: of the setting.
        value: as it is written in ``postgresql.conf``.
        reason: why, in a sentence.
        source: where the rule comes from.
        number: the value in bytes, seconds or as it is; None where it is no number.
        current: what the server has, as it would be written; None where none was asked.
        restart: whether it works only after a restart.
        only_raises: whether the server's own value is good if it is larger.
    """

    name: str
    value: str
    reason: str
    source: str
    number: float | None = None
    current: str | None = None
    restart: bool = False
    only_raises: bool = False

    def against(self, server: ServerState | None) -> "Advice | None":
        """The advice beside what a server has; None if it has that, or has not got the setting."""
        if server is None:
            return replace(self, restart=self.name in _RESTART)
        there = server.settings.get(self.name)
        if there is None or self._is_met(there.value if self.number is None else there.number):
            return None
        return replace(self, current=server.told(self.name), restart=there.needs_restart)

    def _is_met(self, there: str | float) -> bool:
        if self.number is None or isinstance(there, str):
            return there == self.value
        if self.only_raises and there > self.number:
            return True
        return abs(there - self.number) <= _NEAR * abs(self.number)
