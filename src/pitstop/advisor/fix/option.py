"""A loader option as data: the chain of loaders, what it covers, and how it is spelled."""

import ast
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

__all__ = [
    "Option",
    "Step",
    "conflicting",
    "covered",
    "loaded_otherwise",
    "outermost",
    "parse_cure",
    "parse_options",
    "without_joins",
]

EAGER = frozenset({"selectinload", "joinedload", "subqueryload", "contains_eager"})
POLYMORPHIC = "selectin_polymorphic"
EXTRA_STATEMENT = frozenset({"selectinload", "subqueryload", POLYMORPHIC})
COLUMNS = frozenset({"undefer", "undefer_group", "load_only", "with_expression"})
OPPOSED = frozenset({"lazyload", "raiseload", "noload", "defer"})
WRITABLE = (EAGER | COLUMNS | {"immediateload", "defaultload", POLYMORPHIC}) - {"contains_eager"}

Spell = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Step:
    """One loader of a chain, e.g. ``joinedload(Comment.author)``."""

    loader: str
    arguments: tuple[ast.expr, ...]
    keywords: tuple[ast.keyword, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The attributes it loads, without their class: ``("author",)``."""
        return tuple(_attribute_name(each) for each in self.arguments)

    @property
    def settings(self) -> frozenset[str]:
        """Its keyword arguments as source, e.g. ``{"recursion_depth=-1"}``."""
        return frozenset(f"{each.arg}={ast.unparse(each.value)}" for each in self.keywords)

    def render(self, spell: Spell, *, root: str | None = None, root_as: str | None = None) -> str:
        """The argument list as source, every class name spelled as the file spells it."""
        speller = _Speller(spell, root=root, root_as=root_as)
        arguments = [ast.unparse(speller.spelled(each)) for each in self.arguments]
        arguments += [f"{each.arg}={ast.unparse(each.value)}" for each in self.keywords]
        return f"({', '.join(arguments)})"


@dataclass(frozen=True, slots=True)
class Option:
    """A chain of loaders from one root class."""

    steps: tuple[Step, ...]

    @property
    def root(self) -> str:
        """The class the chain starts from, as written: ``Post`` or ``models.Post``; "" for any."""
        owners = [_owner(argument) for argument in self.steps[0].arguments]
        return next((ast.unparse(each) for each in owners if not isinstance(each, ast.Constant)), "")

    @property
    def path(self) -> tuple[tuple[str, ...], ...]:
        """The attribute names, step by step."""
        return tuple(step.names for step in self.steps)

    @property
    def classes(self) -> frozenset[str]:
        """Every bare name in its arguments."""
        nodes = (node for step in self.steps for each in step.arguments for node in ast.walk(each))
        return frozenset(node.id for node in nodes if isinstance(node, ast.Name))

    def render(self, spell: Spell, *, loader: Spell, root_as: str) -> str:
        """The whole option as source.

        Args:
            spell: how the file spells a class.
            loader: how the file spells a loader function.
            root_as: how the statement spells the root class, or its alias.
        """
        first, *rest = self.steps
        head = loader(first.loader) + first.render(spell, root=self.root, root_as=root_as)
        if first.loader == POLYMORPHIC and rest:  # it has no loaders as methods
            below = Option(tuple(rest))
            return f"{head}.options({below.render(spell, loader=loader, root_as=spell(below.root))})"
        return head + "".join(f".{step.loader}{step.render(spell)}" for step in rest)

    def tail(self, spell: Spell, *, after: int) -> str:
        """The source of the steps past the first ``after``, to be appended to those."""
        return "".join(f".{step.loader}{step.render(spell)}" for step in self.steps[after:])


class _Speller(ast.NodeTransformer):
    """Replaces bare class names; the owner of the loaded attribute gets the root's own spelling."""

    def __init__(self, spell: Spell, *, root: str | None, root_as: str | None) -> None:
        self.spell, self.root, self.root_as = spell, root, root_as

    def spelled(self, argument: ast.expr) -> ast.expr:
        copied = ast.parse(ast.unparse(argument), mode="eval").body
        self.owner = _owner(copied)
        replaced = self.visit(copied)
        assert isinstance(replaced, ast.expr)
        return replaced

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node is self.owner and self.root_as is not None and node.id == self.root:
            return ast.parse(self.root_as, mode="eval").body
        return ast.parse(self.spell(node.id), mode="eval").body


def parse_cure(expression: str) -> Option | None:
    """Read a cure; None where it is not a loader option that can be written (a sentence, say)."""
    try:
        options = parse_options(expression)
    except SyntaxError:
        return None
    if not options or any(not covered(each, by=options[-1]) for each in options):
        return None
    option = options[-1]
    simple = all(isinstance(n, _PLAIN) for step in option.steps for a in step.arguments for n in ast.walk(a))
    return option if simple and all(s.loader in WRITABLE for s in option.steps) else None


_PLAIN = (ast.Name, ast.Attribute, ast.Call, ast.Load, ast.Constant, ast.List, ast.keyword)


def parse_options(expression: str, *, renamed: Mapping[str, str] | None = None) -> list[Option]:
    """Read one argument of ``.options(...)`` as the chains it stands for; [] if it is no loader.

    ``selectinload(A.bs).options(joinedload(B.c), joinedload(B.d))`` stands for three.

    Args:
        expression: the source.
        renamed: loaders that go by another name there: ``{"sil": "selectinload"}``.
    """
    # in parentheses, because the source may go over several lines
    return _chains(ast.parse(f"({expression.strip()}\n)", mode="eval").body, renamed or {})


def _chains(node: ast.expr, renamed: Mapping[str, str]) -> list[Option]:
    if not isinstance(node, ast.Call):
        return []
    if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Call):
        before = _chains(node.func.value, renamed)
        if node.func.attr == "options":
            return before + [
                Option(prefix.steps + option.steps)
                for prefix in before[:1]
                for argument in node.args
                for option in _chains(argument, renamed)
            ]
        return [Option((*before[0].steps, _step(node.func.attr, node)))] if before else []
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    name = renamed.get(name, name)
    if name not in EAGER | COLUMNS | OPPOSED | WRITABLE:
        return []
    return [Option((_step(name, node),))]


def _step(loader: str, call: ast.Call) -> Step:
    return Step(loader, tuple(call.args), tuple(call.keywords))


def _attribute_name(argument: ast.expr) -> str:
    subclass = ""
    while isinstance(argument, ast.Call) and isinstance(argument.func, ast.Attribute):
        if argument.func.attr == "of_type" and argument.args:  # and_(...) still loads the attribute
            subclass = f".of_type({_attribute_name(argument.args[0])})"
        argument = argument.func.value
    if isinstance(argument, ast.List):
        return ", ".join(map(_attribute_name, argument.elts))
    return argument.attr + subclass if isinstance(argument, ast.Attribute) else ast.unparse(argument)


def _owner(argument: ast.expr) -> ast.expr:
    while isinstance(argument, ast.Call) and isinstance(argument.func, ast.Attribute):
        argument = argument.func.value
    return argument.value if isinstance(argument, ast.Attribute) else argument


def covered(option: Option, *, by: Option) -> bool:
    """Whether ``by`` loads all that ``option`` loads (roots are compared by the caller)."""
    if len(by.steps) < len(option.steps):
        return False
    return all(_step_covers(mine, theirs) for mine, theirs in zip(option.steps, by.steps, strict=False))


def _step_covers(step: Step, by: Step) -> bool:
    if step.loader in COLUMNS or by.loader in COLUMNS:
        return step.loader == by.loader and set(step.names) <= set(by.names)
    if step.loader == POLYMORPHIC:
        return by.loader == POLYMORPHIC and step.names == by.names
    loads = by.loader in EAGER or by.loader == step.loader
    return loads and step.names == by.names and step.settings <= by.settings


def conflicting(option: Option, *, with_: Option) -> bool:
    """Whether ``with_`` asks for the opposite: ``lazyload``, ``raiseload``, ``defer`` of the same."""
    return with_.path == option.path[: len(with_.path)] and with_.steps[-1].loader in OPPOSED


def loaded_otherwise(option: Option, *, by: Option) -> Step | None:
    """The step of ``by`` that loads the same attribute otherwise: SQLAlchemy refuses the two together."""
    for mine, theirs in zip(option.steps, by.steps, strict=False):
        if mine.names != theirs.names:
            return None
        if mine.loader != theirs.loader and {mine.loader, theirs.loader} <= EAGER:
            return theirs
    return None


def outermost(options: Iterable[Option]) -> list[Option]:
    """Leave out the options that another one covers; the order stays."""
    kept: list[Option] = []
    for option in options:
        if any(covered(option, by=other) for other in kept):
            continue
        kept = [other for other in kept if not covered(other, by=option)] + [option]
    return kept


def without_joins(option: Option) -> Option:
    """The same with ``selectinload`` for ``joinedload``.

    PostgreSQL refuses FOR UPDATE on the nullable side of an outer join.
    """
    steps = (
        Step("selectinload" if step.loader == "joinedload" else step.loader, step.arguments, step.keywords)
        for step in option.steps
    )
    return Option(tuple(steps))


def extra_statements(options: Iterable[Option]) -> int:
    """The statements that the options add to the one they belong to."""
    prefixes = {
        tuple(_plain(names) for names in option.path[: depth + 1])
        for option in options
        for depth, step in enumerate(option.steps)
        if step.loader in EXTRA_STATEMENT
    }
    return len(prefixes)


def loads_on_the_way(options: Iterable[Option], *, counted: Iterable[Option]) -> int:
    """How many relationships the options load before their last step which nobody has counted: each of
    them was one lazy load at the least.
    """
    ways = {
        tuple(map(_plain, option.path[:depth]))
        for option in options
        for depth, step in enumerate(option.steps[:-1], start=1)
        if step.loader in EAGER
    }
    return len(ways - {tuple(map(_plain, option.path)) for option in counted})


def _plain(names: tuple[str, ...]) -> tuple[str, ...]:
    """Without the subclasses: of_type() of several is loaded by one statement."""
    return tuple(name.partition(".of_type(")[0] for name in names)
