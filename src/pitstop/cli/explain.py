"""``pitstop explain``: where the time of a statement goes, what is wrong with its plan, and the cure."""

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from pitstop.errors import PlanError, SettingsError, StoreError

if TYPE_CHECKING:
    from pitstop.postgres.explain import Finding, Plan

__all__ = ["explain"]

_STATEMENT = re.compile(
    r"(?:\s|--[^\n]*\n|/\*.*?\*/|\()*+(?:explain|select|with|insert|update|delete|merge|values|table)\b",
    re.IGNORECASE | re.DOTALL,
)
_STYLES = {"head": "dim", "node": "", "path": "yellow", "worst": "bold red", "detail": "dim"}
_COLOURS = {"critical": "bold red", "warning": "yellow", "info": "cyan"}
_MOST_PLANS = 5
_MOST_FINDINGS = 7


def explain(
    source: Annotated[
        str | None,
        typer.Argument(
            help="A statement, a file with a plan or a statement, or - for stdin.", show_default=False
        ),
    ] = None,
    dsn: Annotated[
        str | None, typer.Option(help="PostgreSQL to ask. [default: $PITSTOP_DATABASE_URL]")
    ] = None,
    analyze: Annotated[
        bool, typer.Option("--analyze", help="Execute the statement, read-only and rolled back.")
    ] = False,
    fingerprint: Annotated[
        str | None, typer.Option(help="A statement that `pitstop run` has seen; its beginning will do.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.001, help="Seconds that the statement may take.")] = 30.0,
    store: Annotated[
        Path | None,
        typer.Option(
            help="Directory of the record of `pitstop run`. [default: $PITSTOP_STORE or ./.pitstop]"
        ),
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Show trifling findings as well.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print nodes and findings as JSON.")] = False,
) -> None:
    """Say where the time of a statement goes, what is wrong with its plan, and the cure.

    A plan may be pasted in any form: JSON or text, from psql, pgAdmin, DBeaver or the log of auto_explain. A
    statement is asked of the database; unless --analyze is given it is not executed. Exit code: 0 nothing
    worse than an info, 1 a warning or worse, 2 an error.
    """
    plans = _plans(source, fingerprint, dsn=dsn, analyze=analyze, timeout=timeout, store=store)
    findings = [(plan, plan.findings(all_=all_)) for plan in plans]
    if json_:
        typer.echo(json.dumps(_as_json(findings), indent=2))
    else:
        _render(findings)
    worse = any(each.severity != "info" for _, found in findings for each in found)
    raise typer.Exit(1 if worse else 0)


def _plans(
    source: str | None,
    fingerprint: str | None,
    *,
    dsn: str | None,
    analyze: bool,
    timeout: float,
    store: Path | None,
) -> "list[Plan]":
    from pitstop.postgres.explain import parse_all

    if (source is None) == (fingerprint is None):
        raise PlanError("give one of: a statement, a file, - for stdin, or --fingerprint")
    text = _recorded(fingerprint, store) if fingerprint is not None else _read(source or "")
    if fingerprint is None and not _STATEMENT.match(text):
        return sorted(parse_all(text), key=lambda plan: -plan.whole_ms)
    return [_ask(text, dsn, analyze=analyze, timeout=timeout)]


def _read(source: str) -> str:
    from pitstop.postgres.explain.source import decoded

    if source == "-":
        return decoded(sys.stdin.buffer.read())
    if _STATEMENT.match(source):
        return source
    try:
        return decoded(Path(source).read_bytes())
    except (OSError, ValueError) as error:
        if "\n" in source or "(cost=" in source:
            return source  # a plan as an argument
        raise PlanError(
            f"'{source[:80]}' is neither a file nor a SELECT, INSERT, UPDATE, DELETE, MERGE or VALUES"
        ) from error


def _recorded(fingerprint: str, store: Path | None) -> str:
    from pitstop.postgres.explain.asking import numbered
    from pitstop.settings import load_settings
    from pitstop.store import read_store

    seen = read_store(store or load_settings().store)
    found = {each.fingerprint: each.text for each in seen.statements.values()}
    matching = {text for name, text in found.items() if name.startswith(fingerprint.lower())}
    if not matching:
        raise StoreError(
            f"no statement with fingerprint '{fingerprint}': `pitstop statements --json` lists them"
        )
    if len(matching) > 1:
        raise StoreError(f"{len(matching)} fingerprints begin with '{fingerprint}': give more of it")
    return numbered(matching.pop())


def _ask(text: str, dsn: str | None, *, analyze: bool, timeout: float) -> "Plan":
    from pitstop.postgres.explain.asking import ask
    from pitstop.settings import load_settings

    given = load_settings().database_url
    url = dsn or (given.get_secret_value() if given else None)
    if url is None:
        raise SettingsError("a database is needed to explain a statement: give --dsn or PITSTOP_DATABASE_URL")
    return ask(url, text, analyze=analyze, timeout_s=timeout)


def _as_json(findings: "list[tuple[Plan, list[Finding]]]") -> dict[str, Any]:
    return {"version": 1, "plans": [_plan_json(plan, found) for plan, found in findings]}


def _plan_json(plan: "Plan", findings: "list[Finding]") -> dict[str, Any]:
    nodes = [
        {
            "node_type": node.node_type,
            "label": node.label,
            "depth": node.depth,
            "self_ms": node.self_ms,
            "total_ms": node.total_ms,
            "rows": node.rows,
            "loops": node.loops,
            "estimated_rows": node.estimated_rows,
        }
        for node in plan.nodes()
    ]
    return {
        "analyzed": plan.is_analyzed,
        "total_ms": plan.total_ms,
        "execution_ms": plan.execution_ms,
        "planning_ms": plan.planning_ms,
        "statement": plan.statement or None,
        "findings": [each.as_json() for each in findings],
        "nodes": nodes,
    }


def _render(findings: "list[tuple[Plan, list[Finding]]]") -> None:
    console = Console(highlight=False, soft_wrap=True)
    for index, (plan, found) in enumerate(findings[:_MOST_PLANS]):
        if index:
            console.print()
        _print_plan(console, plan)
        _print_findings(console, plan, found)
    if len(findings) > _MOST_PLANS:
        console.print(f"\n... and {len(findings) - _MOST_PLANS} plans more that took less", style="dim")


def _print_plan(console: Console, plan: "Plan") -> None:
    from pitstop.postgres.explain.tree import draw

    if plan.statement:
        console.print(Text(" ".join(plan.statement.split())[:160], style="dim"))
    console.print(Text(_summary(plan), style="bold"))
    width = console.width if console.is_terminal else max(console.width, 100)
    for line in draw(plan, width=min(width, 140)):
        console.print(Text(line.text.rstrip(), style=_STYLES[line.kind]))


def _summary(plan: "Plan") -> str:
    if not plan.is_analyzed and any(node.node_type == "ModifyTable" for node in plan.nodes()):
        return "Estimates only: a statement that writes is not executed."
    if not plan.is_analyzed:
        return "Estimates only. --analyze executes the statement, read-only and rolled back, and tells times."
    planning = f", planning {plan.planning_ms:,.1f} ms" if plan.planning_ms is not None else ""
    if not plan.has_times:
        return f"No times were taken of the nodes (TIMING OFF){planning}."
    return f"Execution {plan.whole_ms:,.1f} ms{planning}."


def _print_findings(console: Console, plan: "Plan", findings: "list[Finding]") -> None:
    console.print()
    if not findings:
        what = "Nothing to complain about" if plan.is_analyzed else "Nothing to see in the estimates"
        console.print(Text(f"{what}.", style="bold green"))
    for number, finding in enumerate(findings[:_MOST_FINDINGS], 1):
        head = Text(f"{number:>2} ")
        head.append(f"{finding.severity.upper()} ", style=_COLOURS[finding.severity])
        head.append(finding.subject, style="bold")
        head.append(f"{_saving(plan, finding)}  [{finding.rule}]", style="dim")
        console.print(head)
        for label, text in (("why", finding.why), ("cure", finding.cure)):
            console.print(Text(f"     {label:<6}", style="dim").append(text, style="none"))
    if len(findings) > _MOST_FINDINGS:
        console.print(f"... and {len(findings) - _MOST_FINDINGS} more: --json lists all", style="dim")


def _saving(plan: "Plan", finding: "Finding") -> str:
    if not finding.saving_ms:
        return ""
    share = min(finding.saving_ms / plan.whole_ms, 1.0) if plan.whole_ms else 0.0
    return f"  could save {finding.saving_ms:,.1f} ms ({share:.0%})"
