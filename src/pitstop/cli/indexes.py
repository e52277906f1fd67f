"""``pitstop indexes``: the indexes that a workload should have, and what is wrong with those there are."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from pitstop.errors import SettingsError, StoreError
from pitstop.postgres import abbreviate

if TYPE_CHECKING:
    from pitstop.advisor.indexes import Advice, WorkloadStatement
    from pitstop.advisor.indexes.report import IndexFinding

__all__ = ["indexes", "observed_workload"]

_SQL_CHARS = 110


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
    json_: Annotated[bool, typer.Option("--json", help="Print the advice as JSON.")] = False,
) -> None:
    """Say which indexes a workload should have, and which are in vain; change nothing.

    The database is only read. What an index would do is asked of a private server that has a copy of its
    definitions and statistics, but not of its rows. Exit code: 0 nothing to do, 1 something, 2 an error.
    """
    from pitstop.settings import load_settings

    settings = load_settings()
    given = settings.database_url.get_secret_value() if settings.database_url else None
    url = dsn_option or dsn or given
    if url is None:
        raise SettingsError("no database: give a DSN, or set PITSTOP_DATABASE_URL")
    statements = [] if report else _statements(workload, url, store or settings.store)
    advice, findings = _ask(url, statements)
    if json_:
        typer.echo(json.dumps(_as_json(advice, findings), indent=2))
    else:
        _render(Console(soft_wrap=True, highlight=False), advice, findings)
    raise typer.Exit(1 if findings or (advice and advice.indexes) else 0)


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


def _ask(url: str, statements: "list[WorkloadStatement]") -> "tuple[Advice | None, list[IndexFinding]]":
    from pitstop.advisor.indexes import advise
    from pitstop.advisor.indexes.report import examine_indexes, query_usage
    from pitstop.advisor.whatif import open_whatif
    from pitstop.postgres.catalog import read_catalog, read_only
    from pitstop.postgres.indexes import query_indexes

    with read_only(url) as connection:
        there, usage = query_indexes(connection), query_usage(connection)
    catalog = read_catalog(url)
    with open_whatif(url) as whatif:
        findings = examine_indexes(there, usage, catalog=catalog, whatif=whatif)
        advice = advise(whatif, statements) if statements else None
    return advice, [each for each in findings if not (advice and _served(each, advice))]


def _served(finding: "IndexFinding", advice: "Advice") -> bool:
    """Whether an advised index is the one that a foreign key lacks."""
    from pitstop.advisor.indexes.leading import leads_with

    return finding.kind == "foreign-key" and any(
        leads_with(each.ddl, finding.cure) for each in advice.indexes
    )


def _as_json(advice: "Advice | None", findings: "list[IndexFinding]") -> dict[str, Any]:
    report = [asdict(each) for each in findings]
    if advice is None:
        return {"version": 1, "indexes": [], "statements": [], "report": report}
    document = asdict(advice)
    return {"version": 1, **document, "report": report}


def _render(console: Console, advice: "Advice | None", findings: "list[IndexFinding]") -> None:
    if advice is not None:
        _render_advice(console, advice)
    for each in findings:
        console.print(Text(f"{each.kind}: {each.subject}", style="bold"))
        console.print(Text(f"    {each.why}"))
        if each.before:
            console.print(Text(f"    first: {each.before}", style="yellow"))
        console.print(Text(f"    {each.cure};", style="green"))
    if advice is None and not findings:
        console.print("Nothing is wrong with the indexes that are there.")


def _render_advice(console: Console, advice: "Advice") -> None:
    if not advice.indexes:
        console.print("No further index would make this workload cheaper.")
    for each in advice.indexes:
        for first in each.prerequisites:
            console.print(Text(f"{first};", style="bold green"))
        console.print(Text(f"{each.ddl};", style="bold green"))
        size = f"{each.size_bytes / 1024 / 1024:,.1f} MiB"
        console.print(Text(f"    {size}, {each.write_cost:g} for each row written; {each.reason}"))
    for each_ in advice.statements:
        if each_.problem:
            console.print(Text(f"left out: {each_.problem}", style="yellow"))
        else:
            costs = f"{each_.cost_before:>12,.1f} -> {each_.cost_after:>10,.1f}"
            console.print(Text(f"{costs}  {abbreviate(each_.text, max_chars=_SQL_CHARS)}"))
    console.print(
        f"Geometric mean of the costs: {advice.mean_before:,.1f} -> {advice.mean_after:,.1f} planner units "
        f"({advice.candidates} candidates)."
    )
