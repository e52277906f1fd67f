"""The machine and the versions that a result was measured on."""

import os
import platform
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

__all__ = ["Machine", "this_machine"]

_PACKAGES = [
    "pitstop",
    "locust",
    "uvicorn",
    "uvloop",
    "httptools",
    "fastapi",
    "starlette",
    "pydantic",
    "sqlalchemy",
    "asyncpg",
    "psycopg",
]


@dataclass(frozen=True, slots=True)
class Machine:
    """What decides the figures besides the code.

    Attributes:
        cpu: the processor's own name.
        cores: logical cores this process may use.
        memory_bytes: RAM of the machine.
        system: kernel and version.
        versions: of Python, the server and the packages that are at work.
    """

    cpu: str
    cores: int
    memory_bytes: int
    system: str
    versions: dict[str, str]

    def __str__(self) -> str:
        return f"{self.cores} cores of {self.cpu}, {self.memory_bytes / 2**30:.0f} GiB RAM, {self.system}"


def this_machine(*, postgresql: str | None = None) -> Machine:
    """Describe this machine.

    Args:
        postgresql: the version of the server that was used, if one was.
    """
    versions = {"python": platform.python_version()}
    if postgresql:
        versions["postgresql"] = postgresql
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    system = f"{platform.system()} {platform.release()}"
    return Machine(_processor(), _cores(), psutil.virtual_memory().total, system, versions)


def _cores() -> int:
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return psutil.cpu_count() or 1


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split())
    except OSError:
        pass  # not Linux: the platform's own answer is all there is
    return platform.processor() or platform.machine()
