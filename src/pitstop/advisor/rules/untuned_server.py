"""Servers whose settings of memory and disk nobody has ever looked at."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.advisor.finding import Finding

if TYPE_CHECKING:
    from pitstop.advisor.evidence import Evidence

__all__ = ["examine"]

RULE = "untuned-server"
_TOLD = ("shared_buffers", "effective_cache_size", "work_mem", "random_page_cost")


def examine(evidence: "Evidence") -> Iterable[Finding]:
    """One finding when all of them are as PostgreSQL comes, and there are more data than buffers.

    Details: ``settings``: those, with their values.
    """
    server = evidence.server
    if server is None or server.data_bytes <= server.number("shared_buffers"):
        return
    settings = [server.settings[name] for name in _TOLD]
    if any(each.value != each.default_value for each in settings):
        return
    told = {name: server.told(name) for name in _TOLD}
    yield Finding(
        rule=RULE,
        severity="info",
        subject="postgresql.conf",
        what="the server's settings are as PostgreSQL comes: made to start on any machine, not for this one",
        how_often="always",
        cost=", ".join(f"{name} {value}" for name, value in told.items())
        + f", for {server.data_bytes / 1024**3:,.1f} GB of data",
        cost_ms=0.0,
        cure="pitstop tune says what fits its memory, cores and disk, and makes it an ALTER SYSTEM or a file",
        details={"settings": told},
    )
