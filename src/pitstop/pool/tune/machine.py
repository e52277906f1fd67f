"""The machine that a server runs on, and the kind of work it does."""

import re
from dataclasses import dataclass
from typing import Literal

from pitstop.errors import SettingsError
from pitstop.postgres.server import told_bytes
from pitstop.servers.tuning import core_count, memory_bytes

__all__ = ["GIB", "KIB", "MIB", "Disk", "Load", "Machine", "parse_bytes", "this_machine"]

KIB, MIB, GIB = 1024, 1024**2, 1024**3
Disk = Literal["ssd", "hdd", "san"]
Load = Literal["web", "oltp", "mixed", "warehouse"]

_UNITS = {"": 1, "k": KIB, "m": MIB, "g": GIB, "t": 1024 * GIB}
_LEAST_RAM = 512 * MIB


@dataclass(frozen=True, slots=True)
class Machine:
    """A database server's machine.

    Attributes:
        ram_bytes: memory that the server may use, bytes.
        cores: of its processors.
        disk: ``"ssd"`` (NVMe too), ``"hdd"`` or ``"san"`` (network storage).
        load: ``"web"`` many short statements, ``"oltp"`` many writes, ``"warehouse"`` few large statements,
            ``"mixed"``.
    """

    ram_bytes: int
    cores: int
    disk: Disk = "ssd"
    load: Load = "web"

    def __post_init__(self) -> None:
        if self.ram_bytes < _LEAST_RAM:
            raise SettingsError(f"{told_bytes(self.ram_bytes)} of RAM are too few: 512MB are the least")
        if self.cores < 1:
            raise SettingsError(f"cores is {self.cores}: it must be 1 or more")


def parse_bytes(text: str) -> int:
    """A size as people write it: ``16GB``, ``512 MB``, ``2g``; 1 kB is 1024 bytes, as in PostgreSQL.

    Raises:
        SettingsError: it is none.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?\s*", text.lower())
    if found is None:
        raise SettingsError(f"{text!r} is no size: write 16GB or 512MB")
    return int(float(found[1]) * _UNITS[found[2]])


def this_machine(*, disk: Disk = "ssd", load: Load = "web") -> Machine:
    """The machine that this runs on, or its container's share of it."""
    return Machine(memory_bytes(), core_count(), disk, load)
