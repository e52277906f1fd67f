"""What a server says of itself: its settings, and what it counted."""

from dataclasses import dataclass
from importlib import resources
from typing import Any

import psycopg

from pitstop.postgres.catalog import ask

__all__ = ["ServerState", "Setting", "read_server", "told_bytes"]

_UNITS: dict[str | None, int] = {
    "B": 1,
    "kB": 1024,
    "8kB": 8192,
    "MB": 1024**2,
    "16MB": 16 * 1024**2,
    "GB": 1024**3,
}


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting of the server.

    Attributes:
        name: of it.
        value: in its unit.
        unit: ``"8kB"``, ``"ms"``, ... or None.
        context: what changes it: ``"postmaster"`` needs a restart.
        source: where the value comes from; ``"default"`` means that nobody set it.
        default_value: as it was compiled in.
        pending_restart: whether the file has another value that waits for a restart.
    """

    name: str
    value: str
    unit: str | None
    context: str
    source: str
    default_value: str | None
    pending_restart: bool

    @property
    def number(self) -> float:
        """The value as a number; bytes where the unit is one of memory."""
        return float(self.value) * _UNITS.get(self.unit, 1)

    @property
    def needs_restart(self) -> bool:
        """Whether a change waits for a restart."""
        return self.context == "postmaster"


@dataclass(frozen=True, slots=True)
class ServerState:
    """What was read; counts are since the statistics were reset.

    Attributes:
        settings: by their names.
        version: as ``server_version_num``: 180006.
        database: that was asked.
        up_s, counted_s: how long the server runs, and for how long it counts, seconds.
        temp_files, temp_bytes: what sorts and hashes wrote to disk.
        blocks_hit, blocks_read: blocks found in the shared buffers, and not.
        deadlocks: transactions ended for one.
        data_bytes: size of all databases that this user may connect to.
        connections: of clients, now.
        idle_in_transaction: how many have had a transaction open for a minute and do nothing.
        longest_idle_in_transaction_s: how long the longest does nothing.
        has_statements: whether ``pg_stat_statements`` can be installed.
        timed, requested: checkpoints by the clock, and those that were asked for.
        wal_bytes: written to the write-ahead log.
        is_standby: whether it follows another server.
    """

    settings: dict[str, Setting]
    version: int
    database: str
    up_s: float
    counted_s: float
    temp_files: int
    temp_bytes: int
    blocks_hit: int
    blocks_read: int
    deadlocks: int
    data_bytes: int
    connections: int
    idle_in_transaction: int
    longest_idle_in_transaction_s: float
    has_statements: bool
    timed: int
    requested: int
    wal_bytes: int
    is_standby: bool = False

    def number(self, name: str) -> float:
        """The value of a setting; bytes where its unit is one of memory."""
        return self.settings[name].number

    def told(self, name: str) -> str:
        """A setting as a person would write it: ``128MB``, ``15min``, ``on``."""
        setting = self.settings[name]
        if setting.unit in _UNITS and float(setting.value) >= 0:
            return told_bytes(setting.number)
        return f"{setting.value}{setting.unit or ''}"

    @property
    def free_to_clients(self) -> int:
        """Connections that ordinary users may open."""
        kept = ("superuser_reserved_connections", "reserved_connections")  # the second from 16 on
        reserved = sum(self.number(name) for name in kept if name in self.settings)
        return int(self.number("max_connections") - reserved)

    @property
    def forced(self) -> int:
        """Checkpoints that the amount of WAL can have forced: others ask too (DROP DATABASE, backups).

        The log does it when it has written half of ``max_wal_size`` since the last one.
        """
        return min(self.requested, int(self.wal_bytes / (self.number("max_wal_size") / 2)))

    @property
    def is_local(self) -> bool:
        """Whether it listens on the loopback interface alone, as servers for trying things out do."""
        heard = self.settings["listen_addresses"].value.replace(" ", "").split(",")
        return {*heard} <= {"", "localhost", "127.0.0.1", "::1"}


def read_server(url: str) -> ServerState:
    """Ask a server for its settings and counts; asked as ``read_catalog`` asks.

    Args:
        url: ``postgresql://...``, with or without a driver name.

    Raises:
        SettingsError: the address is not one of PostgreSQL.
        ServerNotFound: nobody answers, or the server refuses.
    """
    return ask(url, _read)


def _read(connection: "psycopg.Connection[dict[str, Any]]") -> ServerState:
    settings = {row["name"]: Setting(**row) for row in connection.execute(_sql("server_settings"))}
    counted = connection.execute(_sql("server_activity")).fetchone()
    newer = "_post_170000" if connection.info.server_version >= 170000 else ""
    checkpoints = connection.execute(_sql(f"server_checkpoints{newer}")).fetchone()
    return ServerState(settings, **{**(counted or {}), **(checkpoints or {})})


def _sql(name: str) -> bytes:
    return resources.files("pitstop.postgres").joinpath("sql", f"{name}.sql").read_bytes()


def told_bytes(number: float) -> str:
    """A size as PostgreSQL writes it, in the largest unit that keeps it whole: ``4GB``, ``1536MB``."""
    whole = int(number)
    for unit, size in (("GB", 1024**3), ("MB", 1024**2), ("kB", 1024)):
        if whole >= size and whole % size == 0:
            return f"{whole // size}{unit}"
    return f"{whole}B"
