"""What a test that failed is told: limit and count, the statements by line, the N+1 and their cures."""

from collections.abc import Iterator

from pitstop.guard.rules import Rules
from pitstop.postgres import abbreviate
from pitstop.sql import Location, NPlusOne, Queries, StatementGroup

__all__ = ["verdict"]

_MOST_GROUPS = 10
_MOST_FINDINGS = 5
_SQL_CHARS = 150
_NOWHERE = "no line of yours: in a library, or while a response was serialised"


def verdict(queries: Queries, rules: Rules) -> str:
    """Why a test fails, in lines for a person; empty when it holds the rules.

    Args:
        queries: what its call executed.
        rules: what it is held to.
    """
    found = queries.n_plus_one
    head = _head(queries, rules, found)
    if not head:
        return ""
    lines = [head, ""]
    if rules.limit is not None and queries.count > rules.limit:
        lines += _statements(queries.groups())
    for finding in found[:_MOST_FINDINGS]:
        lines += _n_plus_one(finding)
    if len(found) > _MOST_FINDINGS:
        lines.append(f"... and {len(found) - _MOST_FINDINGS} more N+1")
    return "\n".join(lines).rstrip()


def _head(queries: Queries, rules: Rules, found: list[NPlusOne]) -> str:
    """The first line, which stands in pytest's summary as well."""
    if rules.limit is not None and queries.count > rules.limit:
        over = queries.count - rules.limit
        return f"{_many(queries.count, 'statement')}, {over} more than max_queries({rules.limit}) allows"
    if not rules.no_n_plus_one or not found:
        return ""
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return f"N+1: {_name(found[0])}{more}, {_many(sum(each.count for each in found), 'extra statement')}"


def _statements(groups: list[StatementGroup]) -> Iterator[str]:
    for group in groups[:_MOST_GROUPS]:
        calls = f"{group.calls}x"
        yield f"{calls:>6} {group.total_ms:8.1f} ms  {_place(group.location)}"
        yield f"{'':>20}{abbreviate(group.text, max_chars=_SQL_CHARS)}"
    if len(groups) > _MOST_GROUPS:
        left = groups[_MOST_GROUPS:]
        executions = _many(sum(group.calls for group in left), "execution")
        yield f"       ... and {len(left)} more in {executions}"
    yield ""


def _n_plus_one(finding: NPlusOne) -> Iterator[str]:
    yield f"{_sentence(finding)}: {_many(finding.count, 'extra statement')}, {finding.total_ms:.1f} ms"
    yield f"  line   {_place(finding.location)}"
    if finding.query_location is not None and finding.query_location != finding.location:
        yield f"  query  {_place(finding.query_location)}"
    yield f"  cure   {f'.options({finding.cure})' if finding.is_expression else finding.cure}"
    for line in finding.imports:
        yield f"         {line}"
    yield ""


def _sentence(finding: NPlusOne) -> str:
    if finding.kind == "lazy-load":
        return f"{_name(finding)} is loaded one {finding.parent} at a time"
    if finding.kind == "column-load":
        return f"{_name(finding)} is loaded one row at a time"
    return f"the same statement on {finding.parent} runs again and again with another value"


def _name(finding: NPlusOne) -> str:
    return f"{finding.parent}.{finding.relationship}" if finding.relationship else finding.parent


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")


def _place(location: Location | None) -> str:
    return location.short() if location is not None else _NOWHERE
