"""Indexes that could help a scan, written down from its conditions, its order and its columns."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from pitstop.advisor.indexes.clause import Clause
from pitstop.advisor.indexes.scan import Order, Scan
from pitstop.advisor.indexes.table import Column, Table

__all__ = ["Candidate", "candidates_of", "merged"]

_MOST_EQUAL = 4
_MOST_KEYS = 5
_MOST_INCLUDED = 4
_MOST_MERGED = 6
_INCLUDED_BYTES = 64
_INCLUDED_SHARE = 0.5  # of a row: what holds more is the table once again
_FEW_VALUES = 20
_UNIQUE = 0.95  # share of rows that differ: a key that finds one row needs nothing more
_RARE = 0.5  # share of rows that a partial index may hold
_RARE_VALUE = 0.1  # where the value may be another the next time
_WIDE_BYTES = 48
_BRIN_ROWS = 200_000
_BRIN_CORRELATION = 0.9
_LEAST_ROWS = 500
_NAME = re.compile(r'(?:"(?:[^"]|"")+"|[^\W\d][\w$]*)')
_CALL = re.compile(r"[^\W\d][\w$]*\(.*\)", re.DOTALL)
_PREFIX = re.compile(r"'[^%_\\']+%'(?:::text)?$")

Share = Callable[[str], float]


@dataclass(frozen=True, slots=True)
class Candidate:
    """An index that may be worth having.

    Attributes:
        table: quoted, with its schema.
        keys: as they stand in CREATE INDEX, with direction and operator class.
        include: further columns.
        predicate: of a partial index.
        method: of access.
    """

    table: str
    keys: tuple[str, ...]
    include: tuple[str, ...] = ()
    predicate: str | None = None
    method: str = "btree"

    @property
    def ddl(self) -> str:
        """The statement that makes it, without a name."""
        using = "" if self.method == "btree" else f"USING {self.method} "
        include = f" INCLUDE ({', '.join(self.include)})" if self.include else ""
        where = f" WHERE {self.predicate}" if self.predicate else ""
        return f"CREATE INDEX ON {self.table} {using}({', '.join(self.keys)}){include}{where}"

    def holds(self, columns: Iterable[str]) -> bool:
        """Whether all of these columns can be read in it alone."""
        keys = [
            key.partition(" ")[0] for key in self.keys
        ]  # without direction; an expression is no column's name
        return {*columns} <= {*keys, *self.include}


def candidates_of(scan: Scan, table: Table, *, share: Share) -> list[Candidate]:
    """The indexes that could help a scan, each once, in an order that does not depend on chance.

    Args:
        scan: of one relation.
        table: it.
        share: of the table's rows that a predicate keeps.
    """
    if table.rows < _LEAST_ROWS:
        return []
    ordered = list(_ordered(scan, table, share))
    found = chain(
        ordered,
        *(_ordered(_arm(scan, side), table, share) for sides in scan.alternatives for side in sides),
        _special(scan, table),
        _narrow(scan, table, ordered),
    )
    return list(dict.fromkeys(found))


def merged(one: Candidate, other: Candidate) -> Candidate | None:
    """The index that serves what two serve, if the keys of one begin with those of the other."""
    if (one.table, one.method, one.predicate) != (other.table, other.method, other.predicate):
        return None
    longer, shorter = (one, other) if len(one.keys) >= len(other.keys) else (other, one)
    if one.method != "btree" or longer.keys[: len(shorter.keys)] != shorter.keys:
        return None
    include = tuple(sorted({*one.include, *other.include} - {*longer.keys}))
    if len(include) > _MOST_MERGED:
        return None
    return Candidate(one.table, longer.keys, include, one.predicate)


def _arm(scan: Scan, side: list[Clause]) -> Scan:
    """The scan that one side of an OR asks for: it may be combined with others in a bitmap."""
    return Scan(scan.schema, scan.table, scan.alias, [*scan.clauses, *side], [], [], scan.needed, scan.locked)


def _ordered(scan: Scan, table: Table, share: Share) -> Iterator[Candidate]:
    """B-trees: equality first, then one range or the order; partial and covering forms of each."""
    predicates = _predicates(scan, table, share)
    for keys in _key_lists(scan, table):
        yield from _forms(keys, scan, table, None)
    for predicate in predicates:
        rest = [each for each in scan.clauses if each not in predicate]
        narrowed = Scan(scan.schema, scan.table, scan.alias, rest, [], scan.orders, scan.needed, scan.locked)
        text = " AND ".join(each.text for each in predicate)
        lists = list(_key_lists(narrowed, table)) or [_untold(scan, predicate, table)[:1]]
        for keys in lists:
            yield from _forms(keys, scan, table, text, [each.subject for each in predicate])


def _narrow(scan: Scan, table: Table, others: Sequence[Candidate]) -> Iterator[Candidate]:
    """An index in the place of the table, where few columns of most rows are asked for and no other has them.

    A condition without a value may be its predicate, however many rows fit it.
    """
    sure = [each for each in scan.clauses if each.constant and each.kind in ("null", "true")]
    says_all = len(sure) == len(scan.clauses) and not scan.alternatives
    held = any({*scan.needed} <= {*each.keys, *each.include} for each in others)
    predicates: list[list[Clause]] = [sure] if sure and (says_all or not held) else []
    predicates += [] if held else [[]]
    for predicate in predicates if not scan.locked else ():
        text = " AND ".join(sorted(each.text for each in predicate)) or None
        for names in dict.fromkeys((_untold(scan, predicate, table), tuple(scan.needed))):
            if names and _worth_holding(names, table):
                yield from _holding(names, scan, table, text)


def _holding(names: Sequence[str], scan: Scan, table: Table, predicate: str | None) -> Iterator[Candidate]:
    """Indexes that hold columns: in an order that is wanted, and in that of the table."""
    ordered = [tuple(_order_keys(order, ())) for order in scan.orders if not order.grouped]
    first = next(each for each in table.columns if each in names)
    for keys in dict.fromkeys([*ordered, (first,)]):
        inside = [found[0] for key in keys if (found := _NAME.match(key))]
        if {*inside} <= {*names} and len(inside) == len(keys):
            yield Candidate(table.name, keys, tuple(sorted({*names} - {*inside})), predicate)


def _untold(scan: Scan, predicate: Sequence[Clause], table: Table) -> tuple[str, ...]:
    """The columns that are asked for beside a predicate; if none is, the narrowest there is."""
    implied = {each.subject for each in predicate}
    names = tuple(each for each in scan.needed if each not in implied)
    if names or not predicate:
        return names
    return (min(table.columns.values(), key=lambda each: (each.width, each.name not in implied)).name,)


def _key_lists(scan: Scan, table: Table) -> list[tuple[str, ...]]:
    equal = _subjects(scan, table, "equal", joins=False) + _nulls(scan)
    equal = sorted(dict.fromkeys(equal), key=lambda each: (-_distinct(each, table), each))[:_MOST_EQUAL]
    listed = _subjects(scan, table, "list", joins=False)[:1]
    joined = _subjects(scan, table, "equal", joins=True)
    ranges = _subjects(scan, table, "range", joins=False)
    bases = [
        equal,
        [*equal, *listed],
        *([*equal, each] for each in joined),
        *([each, *equal] for each in joined),
    ]
    bases += [joined] if len(joined) > 1 else []
    lists: list[list[str]] = []
    for base in bases:
        lists.append(base)
        lists += [[*base, *_order_keys(order, base)] for order in scan.orders]
        lists += [[*base, each] for each in ranges if each not in base]
    lists += [_order_keys(order, ()) for order in scan.orders] + [[each] for each in ranges]
    if len(equal) > 1:
        lists += [[each] for each in equal]
    written = [tuple(map(_written, each[:_MOST_KEYS])) for each in lists if each]
    return list(dict.fromkeys(each for each in written if len(set(each)) == len(each)))


def _forms(
    keys: tuple[str, ...], scan: Scan, table: Table, predicate: str | None, implied: Sequence[str] = ()
) -> Iterator[Candidate]:
    """An index, and the same with what is needed besides; what the predicate tells is not."""
    yield Candidate(table.name, keys, predicate=predicate)
    inside = {found[0] for key in keys for found in [_NAME.match(key)] if found}
    equal = {each.subject for each in scan.clauses if each.kind in ("equal", "list")}
    if scan.locked or not all(_NAME.match(key) for key in keys):
        return
    if keys[0] in equal and _is_unique(keys[0], table):
        return
    rest = sorted(each for each in scan.needed if each not in inside)
    for names in dict.fromkeys([tuple(each for each in rest if each not in implied), tuple(rest)]):
        if names and _worth_holding(names, table):
            yield Candidate(table.name, keys, include=names, predicate=predicate)


def _is_unique(key: str, table: Table) -> bool:
    column = table.columns.get(key)
    return column is not None and column.distinct >= _UNIQUE * table.rows


def _worth_holding(names: tuple[str, ...], table: Table) -> bool:
    if len(names) > _MOST_INCLUDED or not all(each in table.columns for each in names):
        return False
    width = sum(table.columns[each].width for each in names)
    whole = sum(each.width for each in table.columns.values())
    return width <= min(_INCLUDED_BYTES, _INCLUDED_SHARE * whole)


def _subjects(scan: Scan, table: Table, kind: str, *, joins: bool) -> list[str]:
    found = [each for each in scan.clauses if each.kind == kind and each.joins is joins]
    return list(dict.fromkeys(each.subject for each in found if _indexable(each, table)))


def _indexable(clause: Clause, table: Table) -> bool:
    if clause.is_column:
        column = table.columns.get(clause.subject)
        return column is not None and column.type not in ("json", "xml", "point") and column.category != "A"
    return True


def _nulls(scan: Scan) -> list[str]:
    """Columns that must be null: an index finds those as it finds any value."""
    return [each.subject for each in scan.clauses if each.kind == "null" and not each.operator]


def _order_keys(order: Order, before: Sequence[str]) -> list[str]:
    """The keys of an order but for those that are equal in all rows, with their directions."""
    left = [(subject, tail) for subject, tail in order.keys if subject not in before]
    return [f"{_written(subject)}{tail}" for subject, tail in left]


def _written(subject: str) -> str:
    """A key as CREATE INDEX wants it: expressions other than calls in parentheses."""
    tail = re.search(r"(?: COLLATE \S+)?(?: DESC)?(?: NULLS (?:FIRST|LAST))?$", subject)
    cut = tail.start() if tail else len(subject)
    bare, rest = subject[:cut], subject[cut:]
    if _NAME.fullmatch(bare) or _closed(bare):
        return subject
    return f"({bare}){rest}"


def _closed(text: str) -> bool:
    """Whether a text is one call or one parenthesis, with nothing behind it."""
    begun = _CALL.fullmatch(text) or text.startswith("(")
    depth = 0
    for place, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 0 and character == ")":
            return bool(begun) and place == len(text) - 1
    return False


def _distinct(subject: str, table: Table) -> float:
    column = table.columns.get(subject)
    return column.distinct if column else table.rows / 2


def _predicates(scan: Scan, table: Table, share: Share) -> list[list[Clause]]:
    """Conditions that hold for few rows and whose values are written into the statement."""
    found = [each for each in scan.clauses if _may_be_predicate(each, table, share)]
    found = sorted(dict.fromkeys(found), key=lambda each: each.text)
    values = [each for each in found if each.kind == "equal"]
    together = [each for each in found if each not in values[1:]]  # one value at the most
    return [together, *([each] for each in found if [each] != together)] if found else []


def _may_be_predicate(clause: Clause, table: Table, share: Share) -> bool:
    if clause.joins or not clause.constant:
        return False
    if clause.kind in ("null", "true"):
        return share(clause.text) <= _RARE
    column = table.columns.get(clause.subject)
    if column is None or clause.kind != "equal":
        return False
    few = column.distinct <= _FEW_VALUES and column.category in ("S", "E", "B")
    return few and share(clause.text) <= _RARE_VALUE


def _special(scan: Scan, table: Table) -> Iterator[Candidate]:
    """What a B-tree cannot do, or what another method does with far less."""
    sides = chain.from_iterable(scan.alternatives)
    for clause in [*scan.clauses, *chain.from_iterable(sides)]:
        column = table.columns.get(clause.subject)
        key = _written(clause.subject)
        if clause.kind == "pattern":
            yield from _patterns(clause, key, table)
        elif clause.kind in ("contains", "overlap") and column is not None:
            yield from _containers(clause, column, table)
        elif clause.kind == "match":
            yield Candidate(table.name, (key,), method="gin")
        elif clause.kind == "range" and _in_order(column, table):
            yield Candidate(table.name, (key,), method="brin")
        elif clause.kind == "equal" and column is not None and column.width >= _WIDE_BYTES:
            yield Candidate(table.name, (key,), method="hash")


def _patterns(clause: Clause, key: str, table: Table) -> Iterable[Candidate]:
    if clause.operator == "~~" and (not clause.constant or _PREFIX.match(clause.other)):
        yield Candidate(table.name, (f"{key} text_pattern_ops",))
        yield Candidate(table.name, (key,))
    yield Candidate(table.name, (f"{key} gin_trgm_ops",), method="gin")


def _containers(clause: Clause, column: Column, table: Table) -> Iterable[Candidate]:
    if column.type == "jsonb":
        by_path = clause.operator in ("@>", "@?")
        yield Candidate(
            table.name, (f"{column.name} jsonb_path_ops" if by_path else column.name,), method="gin"
        )
    elif column.category == "A" or column.type == "tsvector":
        yield Candidate(table.name, (column.name,), method="gin")
    elif column.category in ("R", "G", "I"):
        opclass = " inet_ops" if column.category == "I" else ""
        yield Candidate(table.name, (f"{column.name}{opclass}",), method="gist")


def _in_order(column: Column | None, table: Table) -> bool:
    return column is not None and table.rows >= _BRIN_ROWS and abs(column.correlation) >= _BRIN_CORRELATION
