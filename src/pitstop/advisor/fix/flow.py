"""Which assignments of a name can reach a use of it."""

from collections.abc import Iterator, Sequence

import libcst as cst

from pitstop.advisor.fix.chain import chain_of
from pitstop.advisor.fix.module import Module
from pitstop.advisor.fix.names import assigned_value

__all__ = ["reaching"]


def reaching(
    module: Module, targets: Sequence[cst.CSTNode], *, use: cst.CSTNode
) -> Iterator[tuple[cst.CSTNode, bool]]:
    """The assignments that can reach a use, with whether each always runs before it.

    Walks back from the use to the first assignment that always runs and starts afresh; what comes
    after the use counts where a loop holds both. A use in another function sees all of them.
    """
    if any(module.function(target) is not module.function(use) for target in targets):
        yield from ((target, len(targets) == 1) for target in targets)
        return
    before = [each for each in targets if module.start(each) < module.start(use)]
    for target in reversed(before):
        certain = _always_runs(module, target, use)
        yield target, certain
        if certain and not _continues(module, target):
            break
    for target in targets:
        if target not in before and _loop_around_both(module, target, use):
            yield target, False


def _always_runs(module: Module, target: cst.CSTNode, use: cst.CSTNode) -> bool:
    around = list(module.ancestors(use))
    for each in module.ancestors(target):
        if each in around:
            return True
        if isinstance(each, cst.BaseSuite):
            if not isinstance(module.parent(each), cst.With):
                return False
        elif isinstance(each, cst.IfExp | cst.BooleanOperation | cst.BaseComp):
            return False
    return True


def _continues(module: Module, target: cst.CSTNode) -> bool:
    """``stmt = stmt.where(...)``: what was assigned before lives on."""
    value = assigned_value(module, target)
    parts = [value.body, value.orelse] if isinstance(value, cst.IfExp) else [value] if value else []
    name = target.value if isinstance(target, cst.Name) else None
    return any(isinstance(base := chain_of(part).base, cst.Name) and base.value == name for part in parts)


def _loop_around_both(module: Module, target: cst.CSTNode, use: cst.CSTNode) -> bool:
    around = set(module.ancestors(use))
    return any(isinstance(each, cst.For | cst.While) and each in around for each in module.ancestors(target))
