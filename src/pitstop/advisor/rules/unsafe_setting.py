"""Settings of the server with which data are lost or the database decays."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.advisor.finding import Finding
from pitstop.pool.tune.safety import UNSAFE

if TYPE_CHECKING:
    from pitstop.advisor.evidence import Evidence

__all__ = ["examine"]

RULE = "unsafe-setting"


def examine(evidence: "Evidence") -> Iterable[Finding]:
    """One finding for each that is off.

    What a crash would destroy is left out where only this machine reaches the server: servers for tests and
    demonstrations are fast that way on purpose. Details: ``setting``.
    """
    server = evidence.server
    if server is None:
        return
    for name, harm in UNSAFE.items():
        decays = name == "autovacuum"
        if server.settings[name].value == "off" and (decays or not server.is_local):
            yield Finding(
                rule=RULE,
                severity="critical",
                subject=name,
                what=f"{name} is off: {harm}",
                how_often="always",
                cost="ever slower statements" if decays else "the data",
                cost_ms=0.0,
                cure=f"ALTER SYSTEM SET {name} = on; SELECT pg_reload_conf()",
                details={"setting": name},
            )
