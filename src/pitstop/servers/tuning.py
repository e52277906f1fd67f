"""The ``postgresql.conf`` of a private server: fast on a developer's machine, modest in memory."""

import math
import os
from pathlib import Path

__all__ = ["configuration", "core_count", "memory_bytes"]

MIB = 1024 * 1024

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "max_connections": 200,
    "shared_preload_libraries": "pg_stat_statements,auto_explain",
    "auto_explain.log_min_duration": -1,
    "pg_stat_statements.max": 10000,
    "pg_stat_statements.track_utility": "off",
    "track_io_timing": "on",
    "jit": "off",
    "random_page_cost": 1.1,
    "effective_io_concurrency": 100,
    "work_mem": "8MB",
    "huge_pages": "off",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "checkpoint_completion_target": 0.9,
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "datestyle": "iso, ymd",
    "default_text_search_config": "pg_catalog.english",
    "log_line_prefix": "%m [%p] %d ",
    "log_checkpoints": "off",
    "logging_collector": "off",
}
_WITHOUT_DURABILITY = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
}


def configuration(*, port: int, temporary: bool) -> str:
    """The whole file.

    Args:
        port: where to listen.
        temporary: nobody needs the data after a crash, so nothing waits for the disk.
    """
    memory = memory_bytes()
    settings = {
        **_SETTINGS,
        "port": port,
        "shared_buffers": f"{_within(memory // 8, 32 * MIB, 512 * MIB) // MIB}MB",
        "effective_cache_size": f"{max(memory // 2, 128 * MIB) // MIB}MB",
        "maintenance_work_mem": f"{_within(memory // 32, 32 * MIB, 256 * MIB) // MIB}MB",
        "dynamic_shared_memory_type": _shared_memory(),
        **(_WITHOUT_DURABILITY if temporary else {}),
    }
    lines = [f"{name} = '{value}'" for name, value in settings.items()]
    head = "# Written anew at every start. Settings of your own: ALTER SYSTEM SET name = value."
    return "\n".join([head, *lines, ""])


def memory_bytes() -> int:
    """What this process may use: the machine's memory, or its container's share."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [machine]
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            limits.append(int(Path(name).read_text()))
        except (OSError, ValueError):  # no container, or no limit ("max")
            continue
    return min(limits)


def core_count() -> int:
    """The cores that this process may use: the machine's, or its container's share, rounded up."""
    counts = [len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1]
    try:
        quota, period = (int(each) for each in Path("/sys/fs/cgroup/cpu.max").read_text().split())
        counts.append(max(1, math.ceil(quota / period)))
    except (OSError, ValueError):  # no container, or no limit ("max")
        pass
    return min(counts)


def _shared_memory() -> str:
    """Containers often have 64 MiB of /dev/shm, too little for parallel hash joins."""
    try:
        status = os.statvfs("/dev/shm")  # noqa: S108 - asked for its size only
    except OSError:
        return "mmap"
    return "posix" if status.f_bavail * status.f_frsize >= 512 * MIB else "mmap"


def _within(value: int, low: int, high: int) -> int:
    return max(low, min(value, high))
