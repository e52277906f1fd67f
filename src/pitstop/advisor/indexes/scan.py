"""What each relation of a statement is asked for: its conditions, its order and the columns needed."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pitstop.advisor.indexes.clause import Clause, columns_of, conjuncts, local_text, read_clause

__all__ = ["Order", "Scan", "read_scans"]

Node = dict[str, Any]

_CONDITIONS = ("Filter", "Index Cond", "Recheck Cond", "Hash Cond", "Merge Cond", "Join Filter")
_SCANS = ("Seq Scan", "Index Scan", "Index Only Scan", "Bitmap Heap Scan", "Sample Scan", "Tid Scan")
_HANDS_UP = ("Limit", "LockRows", "ModifyTable", "Append", "Result", "Unique", "Gather")
_TAIL = re.compile(
    r"(?P<subject>.*?)(?P<tail>(?: COLLATE \S+)?(?: USING \S+)?(?: DESC)?(?: NULLS (?:FIRST|LAST))?)",
    re.DOTALL,
)
_WORD = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")+\"|[^\W\d][\w$]*")
_NUMBERED = re.compile(r"(.+)_(\d+)")
_EXTREME = re.compile(r"(?:PARTIAL )?(?:min|max)\((.+)\)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Order:
    """An order that a relation's rows are wanted in.

    Attributes:
        keys: subject and tail (`` DESC NULLS LAST``) of each.
        grouped: rows are only to be brought together, the direction does not matter.
    """

    keys: tuple[tuple[str, str], ...]
    grouped: bool = False


@dataclass(slots=True)
class Scan:
    """One relation of one statement.

    Attributes:
        schema, table, alias: as the plan writes them.
        clauses: conditions that must all hold.
        alternatives: of each OR its sides, of each side the conditions.
        orders: orders that are wanted of this relation alone.
        needed: columns that are used at all.
        locked: rows are changed or locked, so that the table is read whatever an index holds.
        above: what nodes above a partition call it, as they write it; empty where that cannot be told.
    """

    schema: str
    table: str
    alias: str
    clauses: list[Clause] = field(default_factory=list)
    alternatives: list[list[list[Clause]]] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    needed: list[str] = field(default_factory=list)
    locked: bool = False
    above: str = ""

    @property
    def names(self) -> list[str]:
        """Its aliases as conditions write them."""
        return [each for each in (_written(self.alias), self.above) if each]


def read_scans(plan: Node, columns: dict[str, list[str]]) -> list[Scan]:
    """The relations of a plan that was made without indexes.

    Args:
        plan: its root, with VERBOSE.
        columns: of each table, by ``schema.table`` as the plan writes them, in their order.
    """
    nodes = list(_walk(plan, None))
    _name_owner(nodes, columns)
    scans: dict[str, Scan] = {}
    above_of = _aliases_above(nodes)
    for node, _ in nodes:
        if node["Node Type"] in _SCANS and "Alias" in node:
            above = above_of.get(node["Alias"], "")
            scans[node["Alias"]] = Scan(node["Schema"], node["Relation Name"], node["Alias"], above=above)
    locked = any(node["Node Type"] in ("ModifyTable", "LockRows") for node, _ in nodes)
    for node, parent in nodes:
        for scan in scans.values():
            scan.locked = locked
            _read_conditions(node, scan)
            _read_order(node, scan)
            _read_columns(node, parent, scan, columns.get(f"{scan.schema}.{scan.table}", []))
    return [scans[alias] for alias in sorted(scans)]


def _aliases_above(nodes: list[tuple[Node, Node | None]]) -> dict[str, str]:
    """What partitions are called above: PostgreSQL names those of ``m`` ``m_1``, ``m_2`` ...

    Where a statement reads ``m`` again, that is the next number, and so are its partitions: both in one
    order. If not all are named above, nobody can tell which are, and none is.
    """
    own = {_written(node["Alias"]) for node, _ in nodes if "Alias" in node}
    told = {owner for node, _ in nodes for text in _texts(node) for owner, _ in columns_of(text)} - own
    groups: dict[str, dict[int, list[tuple[int, str]]]] = {}
    for node, parent in nodes:
        found = _NUMBERED.fullmatch(node.get("Alias", ""))
        if found and parent is not None and parent["Node Type"] in ("Append", "Merge Append"):
            group = groups.setdefault(found[1], {}).setdefault(id(parent), [])
            group.append((int(found[2]), node["Alias"]))
    named: dict[str, str] = {}
    for base, lots in groups.items():
        owners = sorted((each for each in told if _is_like(each, base)), key=lambda each: (len(each), each))
        if len(owners) == len(lots):
            for owner, lot in zip(owners, sorted(map(sorted, lots.values())), strict=True):
                named |= {alias: owner for _, alias in lot}
    return named


def _is_like(owner: str, base: str) -> bool:
    bare = owner.strip('"')
    found = _NUMBERED.fullmatch(bare)
    return bare == base or (found is not None and found[1] == base)


def _texts(node: Node) -> list[str]:
    lists = [node.get(name, ()) for name in ("Output", "Sort Key", "Group Key")]
    return [
        *(node[name] for name in _CONDITIONS if name in node),
        *(each for found in lists for each in found),
    ]


def _name_owner(nodes: list[tuple[Node, Node | None]], columns: dict[str, list[str]]) -> None:
    """Write columns as ``alias.column`` in the lists of a statement on one table, too."""
    owners = {node["Alias"]: node for node, _ in nodes if "Alias" in node}
    if len(owners) != 1:
        return
    ((alias, scan),) = owners.items()
    known = set(columns.get(f"{scan.get('Schema')}.{scan.get('Relation Name')}", ()))
    for node, _ in nodes:
        node["Output"] = [_qualified(each, _written(alias), known) for each in node.get("Output", ())]


def _qualified(text: str, alias: str, known: set[str]) -> str:
    if columns_of(text):
        return text
    return _WORD.sub(lambda found: f"{alias}.{found[0]}" if found[0] in known else found[0], text)


def _walk(node: Node, parent: Node | None) -> Iterator[tuple[Node, Node | None]]:
    yield node, parent
    for child in node.get("Plans", ()):
        yield from _walk(child, node)


def _read_conditions(node: Node, scan: Scan) -> None:
    for alias in scan.names:
        _read_conditions_of(node, scan, alias)


def _read_conditions_of(node: Node, scan: Scan, alias: str) -> None:
    for name in _CONDITIONS:
        if name not in node or f"{alias}." not in node[name]:
            continue
        for arms in conjuncts(node[name]):
            sides = [
                [clause for each in arm if (clause := read_clause(each, alias)) is not None] for arm in arms
            ]
            if len(sides) == 1:
                scan.clauses += [each for each in sides[0] if each not in scan.clauses]
            elif all(sides):
                scan.alternatives.append(sides)


def _read_order(node: Node, scan: Scan) -> None:
    for alias in scan.names:
        _read_order_of(node, scan, alias)


def _read_order_of(node: Node, scan: Scan, alias: str) -> None:
    grouped = node["Node Type"] in ("Aggregate", "Group")
    keys = [_key(each, alias) for each in node.get("Group Key" if grouped else "Sort Key", ())]
    known = [each for each in keys if each is not None]
    if keys and len(known) == len(keys):
        order = Order(tuple(known), grouped)
        if order not in scan.orders:
            scan.orders.append(order)
    if node["Node Type"] == "Aggregate" and not keys:
        extremes = [_extreme(each, alias) for each in node.get("Output", ())]
        scan.orders += [each for each in extremes if each is not None and each not in scan.orders]


def _key(text: str, alias: str) -> tuple[str, str] | None:
    found = _TAIL.fullmatch(text.strip())
    if found is None or {owner for owner, _ in columns_of(found["subject"])} != {alias}:
        return None
    subject = local_text(found["subject"], alias)
    if re.match(r"\(?(?:sum|count|avg|min|max|PARTIAL)\b", subject):
        return None
    return subject, found["tail"]


def _extreme(output: str, alias: str) -> Order | None:
    """``min(x)`` and ``max(x)`` are the first row in an order."""
    found = _EXTREME.fullmatch(output.strip())
    key = _key(found[1], alias) if found else None
    return Order((key,)) if key else None


def _read_columns(node: Node, parent: Node | None, scan: Scan, columns: list[str]) -> None:
    texts = [node[name] for name in _CONDITIONS if name in node]
    texts += [each for name in ("Sort Key", "Group Key") for each in node.get(name, ())]
    if not _gives_whole_rows(node, parent, scan, columns):
        texts += node.get("Output", ())
    for text in texts:
        for owner, name in columns_of(text):
            if owner in scan.names and name not in scan.needed:
                scan.needed.append(name)


def _gives_whole_rows(node: Node, parent: Node | None, scan: Scan, columns: list[str]) -> bool:
    """Whether a scan lists all columns only because nobody above it minds (a physical target list)."""
    if node.get("Alias") != scan.alias or parent is None or parent["Node Type"] in _HANDS_UP:
        return False
    return len(columns) > 1 and len(node.get("Output", ())) == len(columns)


def _written(name: str) -> str:
    """An alias as the conditions of a plan write it."""
    plain = re.fullmatch(r"[a-z_][a-z0-9_]*", name)
    return name if plain else '"' + name.replace('"', '""') + '"'
