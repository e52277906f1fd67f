"""``pitstop fix``: write the loader options that cure N+1s into the source."""

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.syntax import Syntax

from pitstop.advisor.fix import Cure, Fix, Plan, cures_from_findings, plan_fixes, write_fixes
from pitstop.errors import SettingsError

__all__ = ["fix"]


def fix(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Change only these files (or files below these directories).")
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Change the files instead of showing a diff.")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print the plan as JSON.")] = False,
    store: Annotated[
        Path | None,
        typer.Option(
            help="Directory of the record of `pitstop run`. [default: $PITSTOP_STORE or ./.pitstop]"
        ),
    ] = None,
    findings: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Read the output of `pitstop doctor --json`; - is stdin."),
    ] = None,
    outside: Annotated[
        bool,
        typer.Option("--outside", help="Also change files outside this directory and installed packages."),
    ] = False,
) -> None:
    """Write the loader options that cure N+1s into your source.

    Shows a diff; [bold]--write[/] applies it, all files or none. What cannot be done safely is listed
    with the cure to apply by hand. Exit code: 0 nothing is left to fix, 1 something is, 2 an error.
    """
    cures = _chosen(_read(findings) if findings is not None else _observed(store), files or [])
    plan = plan_fixes(cures, outside=outside)
    if write:
        write_fixes(plan.files)
    if json_:
        typer.echo(json.dumps(_as_json(plan, written=write), indent=2))
    else:
        _show(plan, cures, written=write)
    raise typer.Exit(1 if plan.refused or (plan.files and not write) else 0)


def _read(source: str) -> list[Cure]:
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text("utf-8")
        document = json.loads(text)
        return cures_from_findings(document["findings"] if isinstance(document, dict) else document)
    except OSError as error:
        raise SettingsError(f"cannot read findings from {source}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise SettingsError(
            f"{source} holds no findings: make it with `pitstop doctor --json` ({error!r})"
        ) from error


def _observed(store: Path | None) -> list[Cure]:
    from pitstop.advisor import evidence
    from pitstop.settings import load_settings

    return list(evidence.load_cures(store or load_settings().store))


def _chosen(cures: list[Cure], files: list[Path]) -> list[Cure]:
    if not files:
        return cures
    chosen = [each.resolve() for each in files]
    missing = next((each for each in chosen if not each.exists()), None)
    if missing is not None:
        raise SettingsError(f"there is no file {missing}")
    return [
        replace(cure, callers=tuple(chain for chain in cure.callers if _within(chain[0][0], chosen)))
        for cure in cures
        if _within(cure.file, chosen)
    ]


def _within(file: str, chosen: list[Path]) -> bool:
    return any(_belongs(file, each) for each in chosen)


def _belongs(file: str, chosen: Path) -> bool:
    path = Path(file)
    if path.is_absolute() and path.exists():
        return path.resolve().is_relative_to(chosen)
    return any(  # observed on another machine: its end decides, as in the plan
        Path.cwd().joinpath(*path.parts[skipped:]).is_relative_to(chosen)
        for skipped in range(1, len(path.parts))
    )


def _as_json(plan: Plan, *, written: bool) -> dict[str, Any]:
    return {
        "written": written and bool(plan.files),
        "files": [str(each.path) for each in plan.files],
        "fixes": [{**asdict(each), "file": str(each.file)} for each in plan.fixes],
        "cured": [{"file": file, "line": line, "cure": cure} for file, line, cure in plan.cured],
        "refused": [asdict(each) for each in plan.refusals],
        "diff": plan.diff,
    }


def _show(plan: Plan, cures: list[Cure], *, written: bool) -> None:
    console = Console(soft_wrap=True, highlight=False)
    if plan.files and not written:
        _show_diff(console, plan.diff)
    for each in plan.fixes:
        place = _short(str(each.file), plan.root)
        verb = "fixed" if written else "would fix"
        before = "fails" if each.fails else each.before
        noun = "statement" if each.after == 1 else "statements"
        deep = any("recursion_depth" in option for option in each.options)
        further = ", and one for each further level" if deep else ""
        console.print(f"{verb} {place}:{each.line}  {before} -> {each.after} {noun}{further}", markup=False)
        for others in {cure.also_in for cure in cures if cure.also_in and _is_of(cure, each)}:
            names = ", ".join(others)
            console.print(
                f"  mind  also runs in {names}: there the options may cost more than they save", markup=False
            )
    for file, line, cure in plan.cured:
        console.print(f"already cured {_short(file, plan.root)}:{line}  {cure}", markup=False)
    for refusal in plan.refusals:
        place = f"{_short(refusal.file, plan.root)}:{refusal.line}" if refusal.file else "(unknown line)"
        console.print(f"by hand {place}  {refusal.reason}\n        {refusal.cure}", markup=False)
    console.print(_summary(plan, written=written), markup=False)


def _is_of(cure: Cure, fix: Fix) -> bool:
    return cure.line == fix.line and Path(cure.file).name == fix.file.name


def _show_diff(console: Console, diff: str) -> None:
    if console.is_terminal:
        console.print(Syntax(diff, "diff", theme="ansi_dark", background_color="default"))
    else:
        sys.stdout.write(diff)
        sys.stdout.flush()


def _short(file: str, root: Path) -> str:
    path = Path(file)
    return str(path.relative_to(root)) if path.is_relative_to(root) else file


def _summary(plan: Plan, *, written: bool) -> str:
    if not plan.fixes:
        return "nothing to write" if plan.refused else "nothing to fix"
    files = f"{len(plan.files)} file{'s' if len(plan.files) != 1 else ''}"
    if written:
        return f"{files} written; run your tests, then `pitstop run` again to see the new counts"
    return f"{files} would change; `pitstop fix --write` applies it"
