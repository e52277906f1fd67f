"""Settings that lose data or blind whoever looks at the server."""

from collections.abc import Iterator

from pitstop.pool.tune.advice import Advice
from pitstop.postgres.server import ServerState

__all__ = ["UNSAFE", "advise"]

UNSAFE = {
    "fsync": "a crash of the machine destroys the data",
    "full_page_writes": "a crash of the machine leaves torn pages",
    "autovacuum": "tables bloat, statistics age, and in the end the server stops to save its transaction ids",
}
_STATEMENTS = "pg_stat_statements"


def advise(server: ServerState | None) -> Iterator[Advice]:
    """Advice on what must be on."""
    if server is None:
        return
    for name, why in UNSAFE.items():
        yield Advice(
            name, "on", f"while it is off, {why}", "PostgreSQL documentation, Write Ahead Log and Vacuuming"
        )
    why = "without it nobody can tell where a statement waits for the disk; it costs next to nothing"
    yield Advice("track_io_timing", "on", why, "PostgreSQL documentation, Run-time Statistics")
    libraries = server.settings.get("shared_preload_libraries")  # not every user is told
    loaded = [each.strip() for each in libraries.value.split(",") if each] if libraries else [_STATEMENTS]
    if server.has_statements and _STATEMENTS not in loaded:
        why = "the server counts its statements: pitstop doctor and pitstop statements read that"
        value = ",".join([*loaded, _STATEMENTS])
        yield Advice("shared_preload_libraries", value, why, "PostgreSQL documentation, pg_stat_statements")
    if server.idle_in_transaction:
        why = (
            f"{server.idle_in_transaction} transactions have done nothing for more than a minute, "
            f"one for {server.longest_idle_in_transaction_s / 60:.0f} min: they hold connections and locks"
        )
        yield Advice(
            *("idle_in_transaction_session_timeout", "5min", why),
            *("PostgreSQL documentation, Client Connection Defaults", 300_000.0),
        )
