"""What a fix starts from: one observed N+1 and the loader option that cures it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

__all__ = ["Cure", "cures_from_findings"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a function that a statement is handed in as.

    Attributes:
        function, name: the names of both.
        position: which positional argument it is, counted from 0 without ``self``; -1: by keyword only.
    """

    function: str
    name: str
    position: int


@dataclass(frozen=True, slots=True)
class Cure:
    """One loader option for one statement.

    Attributes:
        file: the source file as Python named it when the statement was executed; "" when unknown.
        line: the line that executed the statement, counted from 1; 0 when unknown.
        function: the function that executed it (``f_code.co_name`` or the qualified name), or None.
        expression: what goes into ``.options(...)``, with bare class names, or a sentence where no
            loader option cures.
        imports: import lines that the expression needs.
        count: the extra statements that were seen.
        subject: what was loaded, for people: ``"Post.comments"``.
        seen: when it was observed, seconds since the epoch; a file changed later is not touched.
            None: unknown.
        also_in: other routes that run the same query and do not read what the option loads.
        callers: for each chain of calls that led to the line its ``(file, line, function)``, innermost
            first; where the statement is handed in as a parameter, it is made in one of them.
        parameter: where the line is one of those callers, as what the statement is handed in.
        fails: whether the request failed for want of it (a lazy load that async code may not do).
    """

    file: str
    line: int
    function: str | None
    expression: str
    imports: tuple[str, ...] = ()
    count: int = 0
    subject: str = ""
    seen: float | None = None
    also_in: tuple[str, ...] = ()
    callers: tuple[tuple[tuple[str, int, str], ...], ...] = ()
    parameter: Parameter | None = None
    fails: bool = False

    def at_callers(self, parameter: Parameter) -> "list[Cure]":
        """The cure at each line that called, one step further out, with what is handed in there."""
        found: dict[tuple[str, int, str], list[tuple[tuple[str, int, str], ...]]] = {}
        for first, *further in filter(None, self.callers):
            found.setdefault(first, []).append(tuple(further))
        return [
            replace(
                self,
                file=file,
                line=line,
                function=function,
                callers=tuple(chains),
                parameter=parameter,
                also_in=(),
            )
            for (file, line, function), chains in found.items()
        ]


def cures_from_findings(findings: Iterable[Mapping[str, Any]]) -> list[Cure]:
    """Turn the findings of ``pitstop doctor --json`` into cures; other findings are left out."""
    return [_cure(finding) for finding in findings if finding.get("cure") and _is_n_plus_one(finding)]


def _is_n_plus_one(finding: Mapping[str, Any]) -> bool:
    rule = finding.get("rule", "n-plus-one")
    return rule in ("n-plus-one", "forbidden-load") and finding.get("kind") != "repeated-statement"


def _cure(finding: Mapping[str, Any]) -> Cure:
    place: Sequence[Any] = finding.get("query_location") or ("", 0, None)
    imports = finding.get("imports") or ()
    return Cure(
        file=str(place[0] or ""),
        line=int(place[1] or 0),
        function=str(place[2]) if len(place) > 2 and place[2] else None,
        expression=str(finding["cure"]),
        imports=tuple(imports.splitlines()) if isinstance(imports, str) else tuple(map(str, imports)),
        count=int(finding.get("count") or 0),
        subject=".".join(str(finding[key]) for key in ("parent", "relationship") if finding.get(key)),
        seen=finding.get("seen"),
        also_in=tuple(map(str, finding.get("also_in") or ())),
        callers=tuple(
            tuple((str(file), int(line), str(function)) for file, line, function in chain)
            for chain in finding.get("callers") or ()
        ),
        fails=bool(finding.get("fails")),
    )
