"""``pitstop indexes``: the indexes that a workload should have, and what is wrong with those there are."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from pitstop.errors import SettingsError, StoreError
from pitstop.postgres import abbreviate

if TYPE_CHECKING:
    from pitstop.advisor.indexes import (
        Advice,
        AdvisedIndex,
        Advisor,
        Harm,
        Proof,
        ProvenIndex,
        WorkloadStatement,
    )
    from pitstop.advisor.indexes.report import IndexFinding
    from pitstop.servers import Servers

__all__ = ["indexes", "observed_workload"]

_SQL_CHARS = 110
_MIB = 1024**2
_SHOWN = 3


def indexes(
    dsn: Annotated[
        str | None, typer.Argument(help="PostgreSQL to advise on. [default: $PITSTOP_DATABASE_URL]")
    ] = None,
    dsn_option: Annotated[str | None, typer.Option("--dsn", help="The same, as an option.")] = None,
    workload: Annotated[
        Path | None,
        typer.Option(
            help="File of statements, each ended with ; and with `-- weight: N` before it, "
            "or JSON. [default: the record of `pitstop run`, else pg_stat_statements]"
        ),
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option(
            help="Directory of the record of `pitstop run`. [default: $PITSTOP_STORE or ./.pitstop]"
        ),
    ] = None,
    report: Annotated[
        bool, typer.Option("--report", help="Only report on the indexes that are there.")
    ] = False,
    prove: Annotated[
        bool,
        typer.Option(
            "--prove",
            help="Copy the database with its rows to a private server, build the advice there, time each "
            "statement with it and without, and advise only what proves worth having. Takes minutes.",
        ),
    ] = False,
    most_copied: Annotated[
        str, typer.Option(metavar="SIZE", help="With --prove: the largest database that is copied.")
    ] = "4GB",
    json_: Annotated[bool, typer.Option("--json", help="Print the advice as JSON.")] = False,
) -> None:
    """Say which indexes a workload should have, and which are in vain; change nothing.

    The database is only read. What an index would do is asked of a private server that has a copy of its
    definitions and statistics, but not of its rows, unless you ask for proof. Exit code: 0 nothing to do,
    1 something, 2 an error.
    """
    from pitstop.settings import load_settings

    settings = load_settings()
    given = settings.database_url.get_secret_value() if settings.database_url else None
    url = dsn_option or dsn or given
    if url is None:
        raise SettingsError("no database: give a DSN, or set PITSTOP_DATABASE_URL")
    statements = [] if report else _statements(workload, url, store or settings.store)
    asked = _ask(url, statements, most_bytes=_most_bytes(most_copied) if prove else None)
    if json_:
        typer.echo(json.dumps(_as_json(asked), indent=2))
    else:
        _render(Console(soft_wrap=True, highlight=False), asked)
    raise typer.Exit(1 if asked.findings or (asked.advice and asked.advice.indexes) else 0)


@dataclass(frozen=True, slots=True)
class _Answer:
    """The advice, if there was a workload, its proof, if that was asked for, and what is wrong already."""

    advice: "Advice | None"
    proof: "Proof | None"
    findings: "list[IndexFinding]"


def observed_workload(url: str, store: Path) -> "list[WorkloadStatement]":
    """What ``pitstop run`` recorded, else what the server counted; the 200 that ran most.

    Raises:
        SettingsError: neither knows a statement.
    """
    from pitstop.advisor.indexes import observed_statements
    from pitstop.postgres.catalog import read_statements
    from pitstop.store import Observations, read_store

    try:
        observations = read_store(store)
    except StoreError:
        observations = Observations()
    server = read_statements(url)
    found, _ = observed_statements(observations, server.rows)
    if not found:
        reason = server.missing or "the server counted none"
        raise SettingsError(f"no workload: give --workload FILE, or run `pitstop run` first ({reason})")
    return found


def _statements(workload: Path | None, url: str, store: Path) -> "list[WorkloadStatement]":
    from pitstop.advisor.indexes import read_workload

    return read_workload(workload) if workload is not None else observed_workload(url, store)


def _most_bytes(size: str) -> int:
    from pitstop.pool.tune import parse_bytes

    return parse_bytes(size)


def _ask(url: str, statements: "list[WorkloadStatement]", *, most_bytes: int | None) -> _Answer:
    """Look at what is there, advise, and prove the advice if a size is given up to which rows are copied."""
    from pitstop.advisor.indexes import Advisor
    from pitstop.advisor.indexes.report import examine_indexes, query_usage
    from pitstop.advisor.whatif import open_whatif
    from pitstop.postgres.catalog import read_catalog, read_only
    from pitstop.postgres.indexes import query_indexes
    from pitstop.servers.private import own_postgresql

    with read_only(url) as connection:
        there, usage = query_indexes(connection), query_usage(connection)
    catalog = read_catalog(url)
    with own_postgresql() as servers, open_whatif(url, servers=servers) as whatif:
        findings = examine_indexes(there, usage, catalog=catalog, whatif=whatif)
        advisor = Advisor(whatif)
        advice = advisor.advise(statements) if statements else None
        proof = None
        if advice and most_bytes is not None:
            proof = _prove(url, advice, servers, most_bytes, partial(_without, advisor, statements))
        if proof is not None:
            advice = advisor.only(proof.kept)
    return _Answer(
        advice,
        proof,
        [each for each in findings if not (advice and (_served(each, advice) or _used(each, advice)))],
    )


def _without(advisor: "Advisor", statements: "list[WorkloadStatement]", harms: "Sequence[Harm]") -> "Advice":
    return advisor.advise(statements, without=harms)


def _prove(
    url: str,
    advice: "Advice",
    servers: "Servers",
    most_bytes: int,
    others: "Callable[[Sequence[Harm]], Advice]",
) -> "Proof":
    from pitstop.advisor.indexes import prove
    from pitstop.advisor.whatif import open_replica

    console = Console(stderr=True, highlight=False, soft_wrap=True)

    def say(line: str) -> None:
        console.print(Text(line, style="dim"))

    with open_replica(url, servers=servers, most_bytes=most_bytes, progress=say) as replica:
        return prove(advice, replica, others=others, progress=say)


def _served(finding: "IndexFinding", advice: "Advice") -> bool:
    """Whether an advised index is the one that a foreign key lacks."""
    from pitstop.advisor.indexes.leading import leads_with

    return finding.kind == "foreign-key" and any(
        leads_with(each.ddl, finding.cure) for each in advice.indexes
    )


def _used(finding: "IndexFinding", advice: "Advice") -> bool:
    """Whether an index that nobody has read so far is one that the workload will read."""
    names = {name for each in advice.statements for name in each.present}
    return finding.kind == "unused" and finding.subject.rpartition(".")[2].strip('"') in names


def _as_json(asked: _Answer) -> dict[str, Any]:
    report = [asdict(each) for each in asked.findings]
    if asked.advice is None:
        return {"version": 1, "indexes": [], "statements": [], "report": report}
    document = {"version": 1, **asdict(asked.advice), "report": report}
    return document | _proof_as_json(document, asked.proof) if asked.proof else document


def _proof_as_json(document: dict[str, Any], proof: "Proof") -> dict[str, Any]:
    """The keys that a proof adds: ``proof`` to each index and statement and to the whole, and ``dropped``."""
    indexes = {each.ddl: asdict(each) for each in proof.indexes}
    return {
        "indexes": [each | {"proof": indexes[each["ddl"]]} for each in document["indexes"]],
        "statements": [
            each | {"proof": asdict(proven)}
            for each, proven in zip(document["statements"], proof.statements, strict=True)
        ],
        "dropped": [indexes[each.ddl] for each in proof.indexes if not each.is_kept],
        "proof": {
            "mean_before_ms": proof.mean_before_ms,
            "mean_after_ms": proof.mean_after_ms,
            "copied_bytes": proof.copied_bytes,
        },
    }


def _render(console: Console, asked: _Answer) -> None:
    if asked.advice is not None:
        _render_advice(console, asked.advice, asked.proof)
    waiting = [each for each in asked.findings if each.kind == "unused" and each.before]
    for before in dict.fromkeys(each.before for each in waiting):
        names = [each.subject for each in waiting if each.before == before]
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        console.print(Text(f"unused so far: {', '.join(names[:_SHOWN])}{more}", style="bold"))
        console.print(Text(f"    no advice yet: {before}", style="yellow"))
    for each in (each for each in asked.findings if each not in waiting):
        console.print(Text(f"{each.kind}: {each.subject}", style="bold"))
        console.print(Text(f"    {each.why}"))
        if each.before:
            console.print(Text(f"    first: {each.before}", style="yellow"))
        console.print(Text(f"    {each.cure};", style="green"))
    if asked.advice is None and not asked.findings:
        console.print("Nothing is wrong with the indexes that are there.")


def _render_advice(console: Console, advice: "Advice", proof: "Proof | None") -> None:
    if not advice.indexes:
        console.print("No further index would make this workload cheaper.")
    proven = {each.ddl: each for each in proof.indexes} if proof else {}
    for each in advice.indexes:
        _render_index(console, each, proven.get(each.ddl))
    if proof is None:
        _render_costs(console, advice)
    else:
        _render_proof(console, advice, proof)


def _render_index(console: Console, index: "AdvisedIndex", proven: "ProvenIndex | None") -> None:
    for first in index.prerequisites:
        console.print(Text(f"{first};", style="bold green"))
    console.print(Text(f"{index.ddl};", style="bold green"))
    size = f"{(proven.size_bytes if proven else index.size_bytes) / _MIB:,.1f} MiB"
    console.print(Text(f"    {size}, {index.write_cost:g} for each row written; {index.reason}"))
    if index.is_partitioned:
        console.print(
            Text("    of a partitioned table: `pitstop plan` and `pitstop apply` take the steps it needs")
        )
    if proven is not None:
        for line in filter(None, (_effects(proven), proven.reason)):
            console.print(Text(f"    {line}"))


def _effects(proven: "ProvenIndex") -> str:
    """What an index does to the statements that it helps or harms most."""
    found = sorted(proven.effects, key=lambda each: each.with_ms / max(each.without_ms, 0.001))
    shown = ", ".join(
        f"statement {each.statement + 1} from {each.without_ms:,.2f} to {each.with_ms:,.2f} ms"
        for each in found[:_SHOWN]
    )
    return f"proven: {shown}" if shown else ""


def _render_costs(console: Console, advice: "Advice") -> None:
    for each in advice.statements:
        if each.problem:
            console.print(Text(f"left out: {each.problem}", style="yellow"))
        else:
            costs = f"{each.cost_before:>12,.1f} -> {each.cost_after:>10,.1f}"
            console.print(Text(f"{costs}  {abbreviate(each.text, max_chars=_SQL_CHARS)}"))
    console.print(
        f"Geometric mean of the costs: {advice.mean_before:,.1f} -> {advice.mean_after:,.1f} planner units "
        f"({advice.candidates} candidates)."
    )


def _render_proof(console: Console, advice: "Advice", proof: "Proof") -> None:
    for each in proof.indexes:
        if not each.is_kept:
            console.print(Text(f"not worth having: {each.ddl}: {each.reason}", style="yellow"))
    for number, (each_, proven) in enumerate(zip(advice.statements, proof.statements, strict=True), 1):
        text = abbreviate(each_.text, max_chars=_SQL_CHARS)
        if proven.verdict == "not proven":
            console.print(Text(f"{number:>4}  not proven, {proven.problem}", style="yellow"))
        else:
            times = f"{proven.before_ms:>12,.2f} -> {proven.after_ms:>10,.2f} ms  {proven.verdict:<6}"
            console.print(Text(f"{number:>4}{times}  {text}"))
    console.print(
        f"Geometric mean of the times: {proof.mean_before_ms:,.2f} -> {proof.mean_after_ms:,.2f} ms, "
        f"on a copy of {proof.copied_bytes / _MIB:,.0f} MiB."
    )
