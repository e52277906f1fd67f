"""The calls on a line that execute a statement."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

import libcst as cst

from pitstop.advisor.fix.chain import called
from pitstop.advisor.fix.module import Module

__all__ = ["Execution", "Rank", "executions", "function_name"]

EXECUTORS = frozenset({"execute", "scalars", "scalar", "stream", "stream_scalars", "exec"})
GETTERS = frozenset({"get", "get_one"})
TERMINALS = frozenset({
    "all", "first", "first_or_404", "get", "get_or_404", "one", "one_or_404", "one_or_none",
    "paginate", "scalar",
})  # fmt: skip
BUILDERS = frozenset({
    "aliased", "all_", "and_", "any_", "cte", "except_", "exists", "filter", "filter_by", "from_statement",
    "in_", "intersect", "is_", "join", "limit", "not_", "not_in", "notin_", "options", "or_", "order_by",
    "outerjoin", "query", "select", "select_from", "subquery", "union", "union_all", "where",
    "with_for_update",
})  # fmt: skip


class Rank(Enum):
    """How sure it is that something executes the statement; the surest decides."""

    EXECUTOR = 1
    QUERY = 2
    ARGUMENT = 3


@dataclass(frozen=True, slots=True, eq=False)
class Execution:
    """One call (or loop) that executes a statement.

    Attributes:
        node: the call or the iterated expression.
        statement: the expression that is, or should be, the statement; for ``get`` the entity.
        get: whether it is ``session.get(Entity, key)``.
        rank: a session's method, a query that runs itself, or a call that is handed a statement
            (``paginate(session, stmt)``).
    """

    node: cst.CSTNode
    statement: cst.BaseExpression
    get: bool = False
    rank: Rank = Rank.QUERY


def executions(module: Module) -> Iterator[tuple[int, Execution]]:
    """Every execution in a module with each line that Python may report for it.

    A method call is reported on the line of the method's name, an awaited one on the line of
    ``await``, a loop over a query on the line of the loop.
    """
    for node in module.nodes:
        if isinstance(node, cst.Call):
            lines = _lines(module, node)
            for each in _of_call(node):
                yield from ((line, each) for line in lines)
        elif isinstance(node, cst.For | cst.CompFor):
            around = next((a for a in module.ancestors(node) if isinstance(a, cst.BaseComp)), None)
            starts = {module.line(node), module.line(node.iter)} | (
                {module.line(around)} if around else set()
            )
            yield from ((line, Execution(node.iter, node.iter)) for line in starts)
        elif isinstance(node, cst.Subscript):
            yield module.line(node), Execution(node, node.value)


def _lines(module: Module, call: cst.Call) -> set[int]:
    lines = {module.line(call)}
    if isinstance(call.func, cst.Attribute):
        lines = {module.line(call.func.attr)}
    parent = module.parent(call)
    if isinstance(parent, cst.Await):
        lines = {module.line(parent)} | lines
    return lines


def _of_call(call: cst.Call) -> Iterator[Execution]:
    name = called(call)
    plain = [each for each in call.args if not each.star]
    if isinstance(call.func, cst.Attribute):
        if name in EXECUTORS and plain:
            first = next((a for a in plain if a.keyword and a.keyword.value == "statement"), plain[0])
            yield Execution(call, first.value, rank=Rank.EXECUTOR)
            return
        if name in GETTERS and len(plain) >= 2:
            yield Execution(call, plain[0].value, get=True)
            return
        if name in TERMINALS:
            yield Execution(call, call.func.value)
    if name not in BUILDERS:
        yield from (Execution(call, each.value, rank=Rank.ARGUMENT) for each in plain)


def function_name(module: Module, node: cst.CSTNode) -> str | None:
    """The ``co_name`` of the code that holds a node; None where a lambda or comprehension may hold it."""
    for each in module.ancestors(node):
        if isinstance(each, cst.FunctionDef):
            return each.name.value
        if isinstance(each, cst.Lambda | cst.ClassDef | cst.BaseComp):
            return None
    return "<module>"
