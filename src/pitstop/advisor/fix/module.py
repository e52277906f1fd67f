"""A parsed module: its syntax tree with positions, parents and scopes."""

from collections.abc import Iterator, Mapping
from typing import TypeVar, cast

import libcst as cst
from libcst.metadata import (
    Assignment,
    BaseAssignment,
    ByteSpanPositionProvider,
    CodeRange,
    CodeSpan,
    GlobalScope,
    MetadataWrapper,
    ParentNodeProvider,
    PositionProvider,
    Scope,
    ScopeProvider,
)

from pitstop.advisor.fix.source import Source
from pitstop.errors import FixRefused

__all__ = ["Module"]

Node = TypeVar("Node", bound=cst.CSTNode)


class Module:
    """One source file, parsed.

    Raises:
        FixRefused: it is not Python that this interpreter can read.
    """

    def __init__(self, source: Source) -> None:
        try:
            tree = cst.parse_module(source.text)
        except cst.ParserSyntaxError as error:
            raise FixRefused(f"the file cannot be parsed: line {error.raw_line}") from error
        wrapper = MetadataWrapper(tree, unsafe_skip_copy=True)
        found = wrapper.resolve_many(
            [PositionProvider, ByteSpanPositionProvider, ParentNodeProvider, ScopeProvider]
        )
        self.source = source
        self.tree = wrapper.module
        self.data = source.text.encode()
        self._positions = cast("Mapping[cst.CSTNode, CodeRange]", found[PositionProvider])
        self._spans = cast("Mapping[cst.CSTNode, CodeSpan]", found[ByteSpanPositionProvider])
        self._parents = cast("Mapping[cst.CSTNode, cst.CSTNode]", found[ParentNodeProvider])
        self._scopes = found[ScopeProvider]
        self.nodes: tuple[cst.CSTNode, ...] = tuple(self._positions)

    def every(self, kind: type[Node]) -> Iterator[Node]:
        """The nodes of one type, in no promised order."""
        return (node for node in self.nodes if isinstance(node, kind))

    def line(self, node: cst.CSTNode) -> int:
        """The line a node starts on, from 1, without the parentheses around it."""
        return self._positions[node].start.line

    def start(self, node: cst.CSTNode) -> int:
        """The offset of the first byte of a node."""
        return self._spans[node].start

    def end(self, node: cst.CSTNode) -> int:
        """The offset after the last byte of a node."""
        span = self._spans[node]
        return span.start + span.length

    def code(self, node: cst.CSTNode) -> str:
        """The source of a node, without the parentheses around it."""
        return self.data[self.start(node) : self.end(node)].decode()

    def line_start(self, offset: int) -> int:
        """The offset of the first byte of the line that holds ``offset``."""
        return self.data.rfind(b"\n", 0, offset) + 1

    def line_text(self, offset: int) -> str:
        """The whole line that holds ``offset``, without its end."""
        end = self.data.find(b"\n", offset)
        line = self.data[self.line_start(offset) : end if end >= 0 else len(self.data)]
        return line.decode().rstrip("\r")

    def parent(self, node: cst.CSTNode) -> cst.CSTNode | None:
        """The node around this one."""
        return self._parents.get(node)

    def ancestors(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        """The nodes around this one, innermost first."""
        parent = self.parent(node)
        while parent is not None:
            yield parent
            parent = self.parent(parent)

    def around(self, node: cst.CSTNode, kind: type[Node]) -> Node | None:
        """The innermost node of a type around this one."""
        return next((each for each in self.ancestors(node) if isinstance(each, kind)), None)

    def function(self, node: cst.CSTNode) -> cst.FunctionDef | None:
        """The function whose body holds this node."""
        return self.around(node, cst.FunctionDef)

    def scope(self, node: cst.CSTNode) -> Scope:
        """The scope that a name at this node is looked up in."""
        for each in (node, *self.ancestors(node)):
            scope = self._scopes.get(each)
            if isinstance(scope, Scope):
                return scope
        raise FixRefused("the scope of the statement cannot be told")

    @property
    def globals(self) -> Scope:
        """The scope of the module."""
        scope = self._scopes.get(self.tree)
        return scope if isinstance(scope, GlobalScope) else self.scope(self.tree.body[0])

    def bindings(self, name: str, *, at: cst.CSTNode) -> list[BaseAssignment]:
        """What a name is bound to where ``at`` stands, in the order of the source."""
        found = self.scope(at)[name]
        return sorted(found, key=lambda each: self.start(each.node) if isinstance(each, Assignment) else -1)

    def visible_at_run_time(self, node: cst.CSTNode) -> bool:
        """False below ``if TYPE_CHECKING:``."""
        for each in self.ancestors(node):
            if isinstance(each, cst.If) and self.code(each.test).endswith("TYPE_CHECKING"):
                return False
        return True
