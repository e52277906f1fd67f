"""The plan of a pool: what was asked for when the engine was made."""

from dataclasses import dataclass

from pitstop.errors import SettingsError

__all__ = ["Plan"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What was asked for.

    Attributes:
        name: of the pool, for messages.
        size: connections that stay open.
        overflow: more of them under load.
        timeout_s: how long to wait for one, seconds.
        workers: processes that have a pool like this.
        max_waiting: how many may wait, or None.
        pooler: whether a connection pooler stands in between; None to find out.
        has_safe_arguments: whether the driver is told to leave prepared statements alone until that is known.
    """

    name: str
    size: int
    overflow: int
    timeout_s: float
    workers: int
    max_waiting: int | None
    pooler: bool | None
    has_safe_arguments: bool

    def __post_init__(self) -> None:
        for name, value, least in (
            ("size", self.size, 1),
            ("overflow", self.overflow, 0),
            ("workers", self.workers, 1),
            ("max_waiting", self.max_waiting, 0),
        ):
            if value is not None and not (isinstance(value, int) and value >= least):
                raise SettingsError(
                    f"{name} of pool {self.name!r} is {value!r}: it must be a number, {least} or more"
                )
        if not (isinstance(self.timeout_s, int | float) and self.timeout_s > 0):
            raise SettingsError(
                f"timeout_s of pool {self.name!r} is {self.timeout_s!r}: it must be seconds, more than 0"
            )
