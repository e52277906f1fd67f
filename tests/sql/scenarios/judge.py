"""Judges what was found against what a scenario expects, and carries out the cures."""

import ast
from collections.abc import Sequence
from itertools import permutations
from typing import Any

from tests.sql.scenarios.record import Expect, Scenario


def describe(findings: Sequence[Any]) -> str:
    """The findings, one a line, for a failure."""
    return "".join(f"\n    {finding}" for finding in findings) or " nothing"


def complaints(scenario: Scenario, findings: Sequence[Any]) -> list[str]:
    """What is wrong with the findings, in sentences; nothing when they are right."""
    needed = [expect for expect in scenario.expected if not expect.optional]
    best: list[str] | None = None
    for order in permutations(scenario.expected, min(len(findings), len(scenario.expected))):
        wrong = [
            word for pair in zip(order, findings, strict=False) for word in _differences(scenario, *pair)
        ]
        wrong += [f"missed: {expect}" for expect in needed if expect not in order]
        wrong += [f"not expected: {finding}" for finding in findings[len(order) :]]
        if best is None or len(wrong) < len(best):
            best = wrong
    return best or []


def _differences(scenario: Scenario, expect: Expect, finding: Any) -> list[str]:
    wrong = []
    if expect.parent and finding.parent not in expect.parent.split("|"):
        wrong.append(f"parent is {finding.parent!r}, not {expect.parent!r}")
    if expect.relationship and finding.relationship != expect.relationship:
        wrong.append(f"relationship is {finding.relationship!r}, not {expect.relationship!r}")
    if finding.kind not in expect.kinds:
        wrong.append(f"kind is {finding.kind!r}, not {expect.kinds}")
    if finding.count not in expect.counts:
        wrong.append(f"count is {finding.count}, not {expect.counts}")
    wrong += _misplaced(scenario, "location", finding.location, expect.touch)
    wrong += _misplaced(scenario, "query_location", finding.query_location, expect.query)
    return wrong + _bad_cure(finding, curable=expect.curable)


def _misplaced(scenario: Scenario, what: str, place: Any, labels: str) -> list[str]:
    if not labels:
        return []
    right = {line for label in labels.split("|") for line in scenario.lines(label)}
    if place is None:
        return [f"{what} is None, not one of {sorted(right)}"]
    file, line, function = place
    if (file, line) not in right or not isinstance(function, str):
        return [f"{what} is {tuple(place)}, not one of {sorted(right)}"]
    return []


def _bad_cure(finding: Any, *, curable: bool) -> list[str]:
    if not isinstance(finding.cure, str) or not finding.cure.strip():
        return [f"cure is {finding.cure!r}"]
    if _is_expression(finding.cure) and not curable:
        return [f"cure is an expression where no option cures: {finding.cure!r}"]
    if curable and not _is_expression(finding.cure):
        return [f"cure is not an expression: {finding.cure!r}"]
    return []


def _is_expression(cure: str) -> bool:
    try:
        ast.parse(cure, mode="eval")
    except SyntaxError:
        return False
    return True


def carried_out(findings: Sequence[Any]) -> list[Any]:
    """The loader options that the cures say, made as a user would: run the imports, use the expression."""
    options = []
    for finding in {finding.cure: finding for finding in findings}.values():  # one cure may serve several
        names: dict[str, Any] = {}
        for line in finding.imports:
            exec(line, names)
        value = eval(finding.cure, names)
        options.extend(value if isinstance(value, tuple | list) else [value])
    return options
