"""The conditions of a plan, as PostgreSQL writes them, taken apart into what an index could serve."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

__all__ = ["Clause", "Kind", "columns_of", "conjuncts", "local_text", "read_clause"]

Kind = Literal["equal", "list", "range", "null", "pattern", "contains", "match", "overlap", "true", "other"]

# What EXPLAIN prints is fully parenthesised, so that one operator stands outside of parentheses.
_TOKEN = re.compile(
    r"""(?P<string>[eE]?'(?:[^']|'')*')|(?P<quoted>"(?:[^"]|"")*")|(?P<place>\$\d+)|(?P<number>\d[\w.]*)
      |(?P<word>[^\W\d][\w$]*)|(?P<cast>::)|(?P<operator>[-+*/<>=~!@#%^&|`?]+)|(?P<bracket>[()\[\]])
      |(?P<mark>[.,:;])|(?P<blank>\s+)|(?P<strange>.)""",
    re.VERBOSE | re.DOTALL,
)
_NAME = r'(?:"(?:[^"]|"")+"|[^\W\d][\w$]*)'
_REFERENCE = re.compile(rf"(?<![\w$\".'])({_NAME})\.({_NAME})(?![\w$]|\s*\()")
_STRING = re.compile(r"'(?:[^']|'')*'")
_TEXT_CAST = re.compile(rf"\(({_NAME}(?:\.{_NAME})?)\)::text")
_ROW = re.compile(rf"ROW\(({_NAME}),")
_SWAPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "="}
_KINDS: dict[str, Kind] = {
    "=": "equal", "<": "range", ">": "range", "<=": "range", ">=": "range",
    "~~": "pattern", "~~*": "pattern", "~": "pattern", "~*": "pattern", "^@": "pattern", "%": "pattern",
    "@>": "contains", "?": "contains", "?|": "contains", "?&": "contains", "@?": "contains",
    "@@": "match", "&&": "overlap", "<@": "overlap",
    "<<": "overlap", "<<=": "overlap", ">>": "overlap", ">>=": "overlap",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Clause:
    """One condition on one relation.

    Attributes:
        kind: what an index has to be able to do.
        operator: as written.
        subject: the side that an index would hold, as a column or expression of its table.
        other: what it is compared with, as written; empty for ``IS NULL`` and plain booleans.
        joins: whether the other side is a column of another relation.
        constant: whether the other side is a literal.
        text: the whole condition, as the predicate of an index would have it.
    """

    kind: Kind
    operator: str
    subject: str
    other: str
    joins: bool
    constant: bool
    text: str

    @property
    def is_column(self) -> bool:
        """Whether the subject is a plain column."""
        return re.fullmatch(_NAME, self.subject) is not None


def conjuncts(condition: str) -> list[list[list[str]]]:
    """What must all hold, each as its alternatives (one, or the sides of an OR), these as their conjuncts.

    Args:
        condition: as EXPLAIN prints it.
    """
    return [[_split(arm, "AND") for arm in _split(part, "OR")] for part in _split(condition, "AND")]


def read_clause(condition: str, alias: str) -> Clause | None:
    """What a single condition says of one relation, or None if no index of it could help.

    Args:
        condition: without AND and OR outside of parentheses.
        alias: of the relation, as the plan writes it.
    """
    if "SubPlan" in condition or alias not in {owner for owner, _ in columns_of(condition)}:
        return None
    bare = _bare(condition)
    if found := re.fullmatch(r"(.*?) IS (NOT )?NULL", bare, re.DOTALL):
        return _clause("null", found[2] or "", found[1], "", alias, condition)
    negated = bare.removeprefix("NOT ")
    parts = _operator(negated)
    if parts is None:
        return _clause("true", "NOT" if negated != bare else "", negated, "", alias, condition)
    left, operator, right = parts
    if alias in {owner for owner, _ in columns_of(right)}:
        if operator not in _SWAPPED or alias in {owner for owner, _ in columns_of(left)}:
            return None
        left, operator, right = right, _SWAPPED[operator], left
    kind = _KINDS.get(operator, "other")
    if right.startswith(("ANY ", "ANY(")) and kind == "equal":
        kind = "list"
    return _clause(kind, operator, left, right, alias, condition) if kind != "other" else None


def columns_of(text: str) -> list[tuple[str, str]]:
    """The relation and the name of each column in a piece of a plan, in order, as they are written."""
    return [(found[1], found[2]) for found in _REFERENCE.finditer(_STRING.sub(_blanked, text))]


def local_text(text: str, alias: str) -> str:
    """The same text with the columns of one relation named without it."""
    hidden = _STRING.sub(_blanked, text)
    cuts = [found for found in _REFERENCE.finditer(hidden) if found[1] == alias]
    for found in reversed(cuts):
        text = text[: found.start()] + found[2] + text[found.end() :]
    return text


def _blanked(found: "re.Match[str]") -> str:
    return "'" + "_" * (len(found[0]) - 2) + "'"


def _clause(kind: Kind, operator: str, subject: str, other: str, alias: str, text: str) -> Clause | None:
    owners = {owner for owner, _ in columns_of(other)}
    inside = {owner for owner, _ in columns_of(subject)}
    if inside != {alias}:
        return None
    constant = not owners and not re.search(r"\$\d|InitPlan|CURRENT_|now\(\)|\w\(", _STRING.sub("''", other))
    return Clause(
        kind, operator, _plain(local_text(_bare(subject), alias)), other, bool(owners), constant,
        local_text(text, alias),
    )  # fmt: skip


def _plain(subject: str) -> str:
    """The column that an index has to hold: of a row ``(a, b) < (1, 2)`` the first.

    A column of type varchar is compared as text, which its index serves as it is.
    """
    found = _TEXT_CAST.fullmatch(subject) or _ROW.match(subject)
    return found[1] if found else subject


def _operator(text: str) -> tuple[str, str, str] | None:
    depth = 0
    for found in _TOKEN.finditer(text):
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(found[0], 0)
        if depth == 0 and found.lastgroup == "operator":
            return text[: found.start()].strip(), found[0], text[found.end() :].strip()
    return None


def _split(text: str, word: str) -> list[str]:
    bare = _bare(text)
    cuts = [found for depth, found in _walk(bare) if depth == 0 and found[0] == word]
    if not cuts:
        return [text.strip()]
    starts = [0, *(found.end() for found in cuts)]
    ends = [*(found.start() for found in cuts), len(bare)]
    return [bare[start:end].strip() for start, end in zip(starts, ends, strict=True)]


def _bare(text: str) -> str:
    """The text without parentheses around all of it."""
    text = text.strip()
    while text.startswith("(") and text.endswith(")") and _closes_last(text):
        text = text[1:-1].strip()
    return text


def _closes_last(text: str) -> bool:
    """Whether the parenthesis that opens a text is closed by its last character."""
    depths = [depth for depth, _ in _walk(text)]
    return all(depth > 0 for depth in depths[:-1])


def _walk(text: str) -> Iterator[tuple[int, "re.Match[str]"]]:
    depth = 0
    for found in _TOKEN.finditer(text):
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(found[0], 0)
        yield depth, found
