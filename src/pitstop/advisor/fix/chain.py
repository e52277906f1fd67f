"""A method chain that builds a statement: its base and the links after it."""

from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst
from libcst.helpers import get_full_name_for_node

__all__ = ["Chain", "Link", "called", "chain_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Link:
    """One ``.name(...)`` of a chain."""

    name: str
    call: cst.Call
    attribute: cst.Attribute


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """``base.link(...).link(...)``.

    Attributes:
        base: ``select(Post)``, ``session.query(Post)``, ``Post.query``, a name, a call.
        entities: what the base selects; None where the base is no statement by itself.
        links: the methods after it, in order.
        whole: the expression.
    """

    base: cst.BaseExpression
    entities: tuple[cst.BaseExpression, ...] | None
    links: tuple[Link, ...]
    whole: cst.BaseExpression

    @property
    def options(self) -> tuple[cst.Call, ...]:
        """The ``.options(...)`` calls of the chain."""
        return tuple(link.call for link in self.links if link.name == "options")

    @property
    def locks(self) -> bool:
        """Whether it says FOR UPDATE."""
        return any(link.name == "with_for_update" for link in self.links)


def called(call: cst.Call) -> str:
    """The last name of what is called: ``select`` for ``sa.select(...)``."""
    if isinstance(call.func, cst.Attribute):
        return call.func.attr.value
    return call.func.value if isinstance(call.func, cst.Name) else ""


def chain_of(expression: cst.BaseExpression) -> Chain:
    """Take a chain apart."""
    links = list(_links(expression))
    base = links[-1].attribute.value if links else expression
    return Chain(base, _entities(base), tuple(reversed(links)), expression)


def _links(expression: cst.BaseExpression) -> Iterator[Link]:
    """The links, the last one first, down to the base."""
    node = expression
    while isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute):
        if _entities(node) is not None or _is_method_of_self(node.func):
            return
        yield Link(node.func.attr.value, node, node.func)
        node = node.func.value


def _is_method_of_self(function: cst.Attribute) -> bool:
    return isinstance(function.value, cst.Name) and function.value.value in ("self", "cls")


def _entities(node: cst.BaseExpression) -> tuple[cst.BaseExpression, ...] | None:
    if isinstance(node, cst.Call):
        if called(node) == "select" or (called(node) == "query" and isinstance(node.func, cst.Attribute)):
            return tuple(argument.value for argument in node.args if argument.keyword is None) or None
        return None
    # Flask-SQLAlchemy: Post.query; a lower-case owner is an object, not a class
    if isinstance(node, cst.Attribute) and node.attr.value == "query":
        owner = (get_full_name_for_node(node.value) or "").split(".")[-1]
        return (node.value,) if owner[:1].isupper() else None
    return None
