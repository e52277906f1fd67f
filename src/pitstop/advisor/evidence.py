"""The evidence that rules judge: what was observed, and what the database says of itself."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pitstop.advisor.finding import Finding, worst_first
from pitstop.advisor.fix import Cure, cures_from_findings
from pitstop.advisor.rules import RULES, forbidden_load, n_plus_one
from pitstop.advisor.thresholds import Thresholds
from pitstop.errors import StoreError
from pitstop.postgres.catalog import Catalog, read_catalog
from pitstop.postgres.server import ServerState, read_server
from pitstop.store import Observations, read_store

if TYPE_CHECKING:
    from pitstop.advisor.indexes.observed import ObservedAdvice
    from pitstop.advisor.plans import PlannedStatement

__all__ = ["Evidence", "advise_indexes", "diagnose", "explain_slowest", "gather", "load_cures"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What there is to judge.

    Attributes:
        observations: what ``pitstop run`` or ``Pitstop(app)`` recorded; empty when nothing was.
        catalog: what the database says, or None when none was asked.
        thresholds: from which values on something is a finding.
        server: what the server of the database says, or None.
        indexes: which indexes the observed workload lacks, or None when that was not asked.
        plans: of the statements that took the most time; none when they were not asked for.
    """

    observations: Observations
    catalog: Catalog | None
    thresholds: Thresholds
    server: ServerState | None = None
    indexes: "ObservedAdvice | None" = None
    plans: "tuple[PlannedStatement, ...]" = ()


def gather(
    store: Path | str, *, database_url: str | None = None, thresholds: Thresholds | None = None
) -> Evidence:
    """Read the local record and, when an address is given, the database's catalog and its server's settings.

    Args:
        store: directory of the record; may be missing when a database is given.
        database_url: PostgreSQL to ask; it is only read, in a read-only transaction.
        thresholds: None for the defaults.

    Raises:
        StoreError: nothing was observed and no database is given.
        ServerNotFound: nobody answers at the address.
    """
    try:
        observations = read_store(store)
    except StoreError:
        if database_url is None:
            raise
        observations = Observations()
    catalog = read_catalog(database_url) if database_url is not None else None
    server = read_server(database_url) if database_url is not None else None
    return Evidence(observations, catalog, thresholds or Thresholds(), server)


def advise_indexes(evidence: Evidence, database_url: str) -> Evidence:
    """The evidence with advice on indexes; what hinders it is told in ``indexes.problem``.

    It takes some seconds: a private server gets a copy of the definitions and statistics and is asked.

    Args:
        evidence: of :func:`gather`, with the same address.
        database_url: PostgreSQL; it is only read.
    """
    from pitstop.advisor.indexes.observed import advise_observed

    counted = evidence.catalog.statements if evidence.catalog is not None else ()
    return replace(evidence, indexes=advise_observed(database_url, evidence.observations, counted))


def explain_slowest(evidence: Evidence, database_url: str) -> Evidence:
    """The evidence with the plans of the SELECTs that took the most time; none of them is executed.

    Args:
        evidence: of :func:`gather`, with the same address.
        database_url: PostgreSQL; it is only read.

    Raises:
        ServerNotFound: nobody answers at the address.
    """
    from pitstop.advisor.plans import plan_observed

    counted = evidence.catalog.statements if evidence.catalog is not None else ()
    return replace(evidence, plans=plan_observed(database_url, evidence.observations, counted))


def diagnose(evidence: Evidence) -> list[Finding]:
    """All findings, worst first."""
    return worst_first([finding for rule in RULES for finding in rule(evidence)])


def load_cures(store: Path | str) -> list[Cure]:
    """The cures of the N+1s and forbidden loads in the record, for :func:`pitstop.advisor.fix.plan_fixes`.

    Raises:
        StoreError: nothing was observed yet.
    """
    evidence = Evidence(read_store(store), None, Thresholds())
    findings = [*forbidden_load.examine(evidence), *n_plus_one.examine(evidence)]
    return cures_from_findings([finding.as_json() for finding in findings])
