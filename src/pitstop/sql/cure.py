"""Cures in words and in code: the loader option that would have loaded the rows together."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from sqlalchemy.orm import RelationshipProperty

__all__ = [
    "Cure",
    "asked_cure",
    "collapse",
    "column_cure",
    "created_cure",
    "expired_cure",
    "lazy_cure",
    "refresh_cure",
    "relationships_of",
    "repeat_cure",
    "together_cure",
]

Path = tuple[Any, ...]
WasLazy = Callable[[Path], bool]


class Cure(NamedTuple):
    """What to do: an expression for ``.options(...)`` with its imports, or a sentence."""

    text: str
    imports: tuple[str, ...] = ()
    is_expression: bool = False


def relationships_of(path: Path) -> list[tuple[type, "RelationshipProperty[Any]"]]:
    """The relationships of a loader path, each with the class it is read from."""
    return [
        (path[index - 1].mapper.class_, element)
        for index, element in enumerate(path)
        if index and isinstance(element, RelationshipProperty)
    ]


def collapse(path: Path) -> Path:
    """The path with a self-referential relationship that follows itself named once."""
    short: list[Any] = []
    for index in range(0, len(path), 2):
        pair = path[index : index + 2]
        if len(pair) == 2 and len(short) >= 2 and short[-1] is pair[1]:
            continue
        short.extend(pair)
    return tuple(short)


def lazy_cure(
    path: Path, *, was_lazy: WasLazy, recursive: bool, root: Any = None, subclasses: Iterable[type] = ()
) -> Cure:
    """The loader option for a relationship that was loaded row by row.

    Args:
        path: from the root entity to the relationship.
        was_lazy: tells of each shorter path whether it was lazily loaded too; what was not keeps the
            strategy that the query gave it (``defaultload``).
        recursive: the last relationship refers to itself over several levels.
        root: mapper of the class that the query selects, where the path begins at a subclass of it.
        subclasses: all subclasses whose rows were completed one by one.
    """
    owner, relationship = relationships_of(path)[-1]
    if getattr(path[0], "is_aliased_class", False):
        loader = _loader(relationship, recursive)
        return Cure(
            f"the query selects an alias of {path[0].mapper.class_.__name__}: put {loader}() of "
            f"{relationship.key}, read from that alias, into its options"
        )
    chain = _Chain(path, was_lazy, owner)
    chain.call(
        _loader(relationship, recursive),
        f"{owner.__name__}.{relationship.key}{', recursion_depth=-1' if recursive else ''}",
    )
    if root is None:
        return chain.cure()
    classes = {root.class_, *subclasses, *chain.classes}
    text = f"{_polymorphic(root, subclasses)}.options({chain.text})"
    return Cure(text, _imports({"selectin_polymorphic", *chain.functions}, classes), is_expression=True)


class _Chain:
    """A chain of loader calls along the relationships of a path, up to but without the last one."""

    def __init__(self, path: Path, was_lazy: WasLazy, last: type) -> None:
        steps = relationships_of(path)
        if isinstance(path[-1], RelationshipProperty):
            steps.pop()
        self.functions: set[str] = set()
        self.classes: set[type] = {last}
        self.text = ""
        owners = [*(owner for owner, _ in steps[1:]), last]
        for index, (owner, relationship) in enumerate(steps):
            lazily = was_lazy(path[: 2 * (index + 1)])
            self.classes.add(owner)
            narrowed = _of_type(relationship, owners[index])
            loader = _loader(relationship, False) if lazily else "defaultload"
            self.call(loader, f"{owner.__name__}.{relationship.key}{narrowed}")

    def call(self, function: str, arguments: str) -> None:
        """Append one call."""
        self.functions.add(function)
        self.text += f"{'.' if self.text else ''}{function}({arguments})"

    def cure(self) -> Cure:
        """The chain as it stands."""
        return Cure(self.text, _imports(self.functions, self.classes), is_expression=True)


def _polymorphic(root: Any, subclasses: Iterable[type]) -> str:
    return f"selectin_polymorphic({root.class_.__name__}, [{_names(subclasses)}])"


def _names(classes: Iterable[type]) -> str:
    return ", ".join(sorted(each.__name__ for each in classes))


def _loader(relationship: "RelationshipProperty[Any]", deep: bool) -> str:
    return "selectinload" if relationship.uselist or deep else "joinedload"


def _of_type(relationship: "RelationshipProperty[Any]", following: type) -> str:
    target = relationship.mapper.class_
    return (
        f".of_type({following.__name__})" if following is not target and issubclass(following, target) else ""
    )


def column_cure(
    path: Path,
    mapper: Any,
    names: list[str],
    *,
    reason: str,
    was_lazy: WasLazy,
    root: Any = None,
    subclasses: Iterable[type] = (),
) -> Cure:
    """The cure for column attributes that were loaded row by row.

    Args:
        path: from the root entity to the entity whose columns they are.
        mapper: the mapper of that entity.
        names: the attributes.
        reason: ``"deferred"``, ``"left out"``, ``"subclass"`` or ``"expired"``.
        was_lazy, root, subclasses: as for :func:`lazy_cure`; without a root the subclasses are reached by a
            relationship, and are all those of which one option of the query has to load columns.
    """
    if reason not in ("deferred", "subclass"):
        return Cure(_SENTENCES[reason].format(entity=mapper.class_.__name__, names=", ".join(names)))
    is_deferred = all(mapper.attrs[name].deferred for name in names)
    if reason == "subclass" and root is not None:
        return _root_column_cure(mapper, names if is_deferred else [], root, subclasses)
    if reason == "subclass" and not is_deferred:
        chain = _Chain(path, was_lazy, path[-1].mapper.class_)
        chain.classes.update(subclasses)
        chain.text += f".selectin_polymorphic([{_names(subclasses)}])"
    else:
        chain = _Chain(path, was_lazy, mapper.class_)
        _undefer(chain, mapper, names, grouped=reason != "subclass")
    return chain.cure()


def _root_column_cure(mapper: Any, deferred: list[str], root: Any, subclasses: Iterable[type]) -> Cure:
    chain = _Chain((mapper,), lambda path: False, mapper.class_)
    _undefer(chain, mapper, deferred, grouped=False)
    text = _polymorphic(root, subclasses)
    if deferred:
        text += f".options({chain.text})"
    imports = _imports({"selectin_polymorphic", *chain.functions}, {root.class_, *subclasses})
    return Cure(text, imports, is_expression=True)


def _undefer(chain: _Chain, mapper: Any, names: list[str], *, grouped: bool) -> None:
    """Append what loads deferred columns; by their group only where that is the selected class's own."""
    groups = {getattr(mapper.attrs[name], "group", None) for name in names}
    group = groups.pop() if len(groups) == 1 else None
    if grouped and group and len(names) > 1:
        chain.call("undefer_group", repr(group))
        return
    for name in names:
        chain.call("undefer", f"{mapper.class_.__name__}.{name}")


def refresh_cure(mapper: Any, relationships: list[str]) -> Cure:
    """The cure for ``refresh()`` in a loop, which loads again what it is given, relationships included."""
    entity = mapper.class_.__name__
    if not relationships:
        return Cure(_SENTENCES["refresh"].format(entity=entity))
    loads = (f"{_loader(mapper.relationships[name], False)}({entity}.{name})" for name in relationships)
    return Cure(f"put {', '.join(loads)} into the options of the query and leave refresh() out of the loop")


def expired_cure(path: Path) -> Cure:
    """The cure for a relationship of rows that were loaded, expired and then read again one by one."""
    owner, relationship = relationships_of(path)[-1]
    option = f"{_loader(relationship, False)}({owner.__name__}.{relationship.key})"
    sentence = _SENTENCES["expired"].format(entity=owner.__name__)
    return Cure(f"{sentence}; then {option} in the options of the query loads it for all")


_SENTENCES = {
    "refresh": "load the rows again with one statement instead of refresh() in a loop: "
    "select({entity}).where(...).execution_options(populate_existing=True)",
    "expired": "the rows of {entity} were expired by commit() or expire(): create the session with "
    "expire_on_commit=False, or read what is needed before the commit",
    "left out": "the query leaves {names} of {entity} out with defer(): take that away",
}


def together_cure(path: Path) -> Cure:
    """The cure for a relationship of rows that were themselves loaded one by one."""
    owner, relationship = relationships_of(path)[-1]
    return Cure(
        f"load the rows of {owner.__name__} with one statement, with "
        f"{_loader(relationship, False)}({owner.__name__}.{relationship.key}) in its options"
    )


def created_cure(path: Path) -> Cure:
    """The cure for a relationship of rows that no query has loaded, because they were made here."""
    owner, relationship = relationships_of(path)[-1]
    name = f"{owner.__name__}.{relationship.key}"
    return Cure(
        f"no query has loaded these rows of {owner.__name__}: give them their {relationship.key} where they "
        f"are made, or read them again with {_loader(relationship, False)}({name}) in the options"
    )


def repeat_cure(columns: list[str]) -> Cure:
    """The cure for a hand-written statement that runs once per row.

    Args:
        columns: what the changing values are compared with; empty when that is not known.
    """
    if not columns:
        return Cure("run it once for all rows: join or group in SQL instead of asking for each row")
    where = columns[0] if len(columns) == 1 else f"({', '.join(columns)})"
    return Cure(
        f"run it once before the loop for all values, with {where} IN (...) in its WHERE "
        "(SQLAlchemy: .in_()), and look the rows up in a dictionary"
    )


def asked_cure(path: Path) -> Cure:
    """The cure where the query itself asks for the lazy load."""
    owner, relationship = relationships_of(path)[-1]
    target = f"{owner.__name__}.{relationship.key}"
    loader = _loader(relationship, False)
    return Cure(f"the query's own options say how {target} is loaded: make that {loader}({target})")


def _imports(functions: set[str], classes: set[type]) -> tuple[str, ...]:
    lines = [f"from sqlalchemy.orm import {', '.join(sorted(functions))}"]
    modules: dict[str, set[str]] = {}
    for each in classes:
        if "<locals>" not in each.__qualname__:
            modules.setdefault(each.__module__, set()).add(each.__name__)
    return (
        *lines,
        *(f"from {module} import {', '.join(sorted(names))}" for module, names in sorted(modules.items())),
    )
