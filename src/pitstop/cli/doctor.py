"""``pitstop doctor``: what is slow, where, how often, what it costs, and the cure."""

import json
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from pitstop.advisor.evidence import Evidence
    from pitstop.advisor.finding import Finding
    from pitstop.store import Observations

__all__ = ["doctor", "render"]

_MOST_ROUTES = 15
_MOST_GAINS = 3
_COLOURS = {"critical": "bold red", "warning": "yellow", "info": "cyan"}


def doctor(
    dsn: Annotated[
        str | None, typer.Argument(help="PostgreSQL to look at as well. [default: $PITSTOP_DATABASE_URL]")
    ] = None,
    dsn_option: Annotated[str | None, typer.Option("--dsn", help="The same, as an option.")] = None,
    store: Annotated[
        Path | None,
        typer.Option(
            help="Directory of the record of `pitstop run`. [default: $PITSTOP_STORE or ./.pitstop]"
        ),
    ] = None,
    no_indexes: Annotated[
        bool,
        typer.Option("--no-indexes", help="Do not ask which indexes are missing, which takes a few seconds."),
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    exit_zero: Annotated[
        bool, typer.Option("--exit-zero", help="Exit with 0 even if something is found.")
    ] = False,
) -> None:
    """Say what is slow, where, how often, what it costs, and the cure; worst first.

    Reads what `pitstop run` (or `Pitstop(app)`) recorded, and the database when one is given; changes
    neither. What an index would gain is asked of a private server with a copy of the statistics.
    Exit code: 0 nothing worse than an info, 1 a warning or worse, 2 an error.
    """
    from pitstop.advisor.evidence import diagnose, explain_slowest, gather
    from pitstop.advisor.thresholds import Thresholds
    from pitstop.settings import load_settings

    settings = load_settings()
    given = settings.database_url.get_secret_value() if settings.database_url else None
    url = dsn_option or dsn or given
    evidence = gather(
        store or settings.store,
        database_url=url,
        thresholds=Thresholds(
            slow_request_ms=settings.slow_request_ms, slow_statement_ms=settings.slow_statement_ms
        ),
    )
    if url is not None:
        evidence = explain_slowest(evidence, url)
    if url is not None and not no_indexes:
        evidence = _with_indexes(evidence, url)
    findings = diagnose(evidence)
    if json_:
        typer.echo(json.dumps(_as_json(evidence, findings), indent=2))
    else:
        render(_console(), evidence, findings)
    found = any(finding.severity != "info" for finding in findings)
    raise typer.Exit(1 if found and not exit_zero else 0)


def _with_indexes(evidence: "Evidence", url: str) -> "Evidence":
    """Ask the index advisor; what it takes, and what hinders it, is said on stderr."""
    from pitstop.advisor.evidence import advise_indexes

    if sys.stderr.isatty():
        typer.echo("pitstop: asking which indexes are missing (--no-indexes leaves it out) ...", err=True)
    asked = advise_indexes(evidence, url)
    if asked.indexes is not None and asked.indexes.problem:
        typer.echo(f"pitstop: no index advice: {asked.indexes.problem}", err=True)
    return asked


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=max(console.width, 120))


def _as_json(evidence: "Evidence", findings: "list[Finding]") -> dict[str, Any]:
    routes = [
        {
            "kind": each.kind,
            "name": each.name,
            "count": each.count,
            "errors": each.errors,
            "mean_ms": each.mean_ms,
            "p95_ms": each.quantile(0.95),
            "statements_per_request": each.statements / each.count if each.count else 0.0,
        }
        for each in evidence.observations.scopes.values()
    ]
    return {"version": 1, "findings": [each.as_json() for each in findings], "routes": routes}


def render(
    console: Console, evidence: "Evidence", findings: "list[Finding]", *, most: int | None = None
) -> None:
    """Print findings for a person.

    Args:
        console: where to.
        evidence: what was judged; its routes stand above the findings.
        findings: worst first.
        most: show only so many and say how many more there are; None shows all.
    """
    _print_routes(console, evidence.observations)
    shown = findings if most is None else findings[:most]
    console.print(_verdict(evidence, findings))
    for number, finding in enumerate(shown, 1):
        _print_finding(console, number, finding)
    if len(shown) < len(findings):
        console.print(f"\n... and {len(findings) - len(shown)} more: pitstop doctor")
    if any(finding.details.get("is_expression") for finding in findings):
        console.print(
            "\n[bold]pitstop fix[/] shows which of the loader options it can write for you, as a diff."
        )
    if any(finding.rule == "missing-index" for finding in findings):
        console.print(
            "\n[bold]pitstop doctor DSN --json | pitstop apply DSN --indexes -[/] shows what making the "
            "indexes takes; [bold]--apply[/] makes them.",
            soft_wrap=True,
        )


def _verdict(evidence: "Evidence", findings: "list[Finding]") -> Text:
    if not findings:
        seen = sum(each.count for each in evidence.observations.scopes.values())
        where = f"in {seen:,} requests and runs" if seen else "in the database; no application was observed"
        return Text(f"Nothing to complain about {where}.", style="bold green")
    critical = sum(finding.severity == "critical" for finding in findings)
    if len(findings) == 1:
        return Text(f"1 {'critical ' * critical}finding.", style="bold")
    worst = f", {critical} of them critical" if critical else ""
    return Text(f"{len(findings)} findings{worst}, worst first.", style="bold")


def _print_routes(console: Console, observations: "Observations") -> None:
    everything = sorted(observations.scopes.values(), key=lambda each: -each.total_ms)
    scopes = everything[:_MOST_ROUTES]
    if not scopes:
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("by total time")
    for name in ("count", "mean ms", "p95 ms", "SQL each", "errors"):
        table.add_column(name, justify="right")
    for each in scopes:
        ended = each.kind != "process"  # a process has run so long, which says nothing of its speed
        table.add_row(
            Text(each.name if each.kind == "request" else f"{each.name} ({each.kind})"),  # no markup
            f"{each.count:,}",
            f"{each.mean_ms:,.1f}" if ended else "",
            f"{each.quantile(0.95):,.1f}" if ended else "",
            f"{each.statements / max(each.count, 1):,.1f}",
            f"{each.errors:,}" if each.errors else "",
        )
    last = max(each.last_seen for each in scopes)
    console.print(f"Observed until {datetime.fromtimestamp(last):%Y-%m-%d %H:%M:%S}", style="dim")
    console.print(table)
    if len(everything) > len(scopes):
        console.print(f"... and {len(everything) - len(scopes)} more with less", style="dim")
    console.print()


def _print_finding(console: Console, number: int, finding: "Finding") -> None:
    head = Text(f"\n{number:>2} ")
    head.append(f"{finding.severity.upper()} ", style=_COLOURS[finding.severity])
    head.append(finding.what, style="bold")
    head.append(f"  [{finding.rule}]", style="dim")
    console.print(head, soft_wrap=True)
    for label, text in _lines(finding):
        console.print(Text(f"     {label:<10}", style="dim").append(text, style="none"), soft_wrap=True)


def _lines(finding: "Finding") -> list[tuple[str, str]]:
    lines: list[tuple[str, str]] = []
    if finding.query_location is not None and finding.query_location != finding.location:
        lines.append(("query", _place(finding.query_location)))
    if finding.location is not None:
        lines.append(("line", _place(finding.location)))
    elif finding.rule in ("n-plus-one", "forbidden-load"):
        lines.append(("line", "none of yours: while the response is serialised, or in a library"))
    lines += [("called", f"from {_place(chain[0])}") for chain in finding.details.get("callers", ())[:1]]
    if finding.rule == "poor-plan":
        lines.append(("statement", finding.details["statements"][0]["text"]))
    lines += [("how often", finding.how_often), ("cost", finding.cost)]
    lines += _gains(finding)
    expression = finding.details.get("is_expression")
    lines.append(("cure", f".options({finding.cure})" if expression else finding.cure))
    lines += [("", line) for line in finding.details.get("imports", ())]
    others = finding.details.get("also_in")
    if others:
        lines.append(("mind", f"the query also runs in {_listed(others)}, not seen to read it row by row"))
    return lines


def _gains(finding: "Finding") -> list[tuple[str, str]]:
    """Of a missing index: planner costs before and after of the statements that gain most, and its price."""
    indexes = finding.details.get("indexes", ())
    if finding.rule != "missing-index" or len(indexes) != 1:
        return [("", each["ddl"]) for each in indexes]
    (index,) = indexes
    gains = index["gains"]
    lines = [
        (
            "" if number else "gain",
            f"{each['cost_before']:,.1f} -> {each['cost_after']:,.1f}  {each['text']}",
        )
        for number, each in enumerate(gains[:_MOST_GAINS])
    ]
    lines += [("", f"... and {len(gains) - _MOST_GAINS} more")] if len(gains) > _MOST_GAINS else []
    return [
        *lines,
        (
            "price",
            f"{decimal(index['size_bytes'])}, {index['write_cost']:g} planner units for each row written",
        ),
    ]


def _listed(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _place(location: tuple[str, int, str]) -> str:
    file, line, function = location
    near = os.path.relpath(file)
    short = near if not near.startswith("..") else file.rpartition("site-packages" + os.sep)[2]
    return f"{short}:{line} in {function}"
