"""A server as it is read, made by hand."""

from typing import Any

from pitstop.postgres.server import ServerState, Setting

MIB, GIB = 1024**2, 1024**3
DEFAULTS = {
    **{
        "shared_buffers": ("16384", "8kB"),
        "work_mem": ("4096", "kB"),
        "maintenance_work_mem": ("65536", "kB"),
    },
    **{
        "max_connections": ("100", None),
        "max_parallel_workers": ("8", None),
        "max_worker_processes": ("8", None),
    },
    **{"autovacuum_max_workers": ("3", None), "hash_mem_multiplier": ("2", None), "fsync": ("on", None)},
    **{
        "autovacuum_work_mem": ("-1", "kB"),
        "effective_cache_size": ("524288", "8kB"),
        "autovacuum": ("on", None),
    },
    **{"random_page_cost": ("4", None), "jit": ("on", None), "max_wal_size": ("1024", "MB")},
    **{
        "shared_preload_libraries": ("", None),
        "track_io_timing": ("off", None),
        "full_page_writes": ("on", None),
    },
    **{"idle_in_transaction_session_timeout": ("0", "ms"), "checkpoint_timeout": ("300", "s")},
    **{"listen_addresses": ("*", None), "superuser_reserved_connections": ("3", None)},
}


def server(settings: dict[str, str] | None = None, **changes: Any) -> ServerState:
    """A server with PostgreSQL's own settings that has counted for ten days."""
    found = {
        name: Setting(
            *(name, (settings or {}).get(name, value), unit),
            *(
                "postmaster" if name in ("shared_buffers", "max_connections") else "sighup",
                "default",
                value,
                False,
            ),
        )
        for name, (value, unit) in DEFAULTS.items()
    }
    counts = {
        **{"version": 180000, "database": "shop", "up_s": 864_000.0, "counted_s": 864_000.0},
        **{"temp_files": 0, "temp_bytes": 0, "blocks_hit": 99_000, "blocks_read": 1_000, "deadlocks": 0},
        **{"data_bytes": 100 * GIB, "connections": 10, "has_statements": True},
        **{"idle_in_transaction": 0, "longest_idle_in_transaction_s": 0.0},
        **{"timed": 900, "requested": 0, "wal_bytes": 500 * GIB},
    }
    return ServerState(found, **{**counts, **changes})
