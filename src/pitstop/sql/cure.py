"""Cures in words and in code: the loader option that would have loaded the rows together."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from sqlalchemy.orm import RelationshipProperty

__all__ = ["Cure", "collapse", "column_cure", "lazy_cure", "relationships_of", "repeat_cure"]

Path = tuple[Any, ...]


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


def lazy_cure(path: Path, *, was_lazy: Callable[[Path], bool], recursive: bool) -> Cure:
    """The loader option for a relationship that was loaded row by row.

    Args:
        path: from the root entity to the relationship.
        was_lazy: tells of each shorter path whether it was lazily loaded too; what was not keeps the
            strategy that the query gave it (``defaultload``).
        recursive: the last relationship refers to itself over several levels.
    """
    steps = relationships_of(path)
    names: set[str] = set()
    calls: list[str] = []
    for index, (owner, relationship) in enumerate(steps):
        last = index == len(steps) - 1
        lazily = last or was_lazy(path[: 2 * (index + 1)])
        deep = last and recursive
        loader = _loader(relationship, deep) if lazily else "defaultload"
        names.add(loader)
        target = f"{owner.__name__}.{relationship.key}"
        if not last:
            target += _of_type(relationship, steps[index + 1][0])
        calls.append(f"{loader}({target}{', recursion_depth=-1' if deep else ''})")
    classes = {owner for owner, _ in steps}
    return Cure(".".join(calls), _imports(names, classes), is_expression=True)


def _loader(relationship: "RelationshipProperty[Any]", deep: bool) -> str:
    return "selectinload" if relationship.uselist or deep else "joinedload"


def _of_type(relationship: "RelationshipProperty[Any]", following: type) -> str:
    target = relationship.mapper.class_
    return (
        f".of_type({following.__name__})" if following is not target and issubclass(following, target) else ""
    )


def column_cure(path: Path, mapper: Any, names: Iterable[str], *, reason: str) -> Cure:
    """The cure for column attributes that were loaded row by row.

    Args:
        path: from the root entity to the entity whose columns they are.
        mapper: the mapper of that entity.
        names: the attributes.
        reason: ``"deferred"``, ``"subclass"``, ``"expired"`` or ``"refresh"``.
    """
    entity = mapper.class_.__name__
    if reason == "refresh":
        return Cure(
            f"load the rows again with one statement instead of refresh() in a loop: "
            f"select({entity}).where(...).execution_options(populate_existing=True)"
        )
    if reason == "expired":
        return Cure(
            f"the rows of {entity} were expired by commit() or expire(): create the session with "
            "expire_on_commit=False, or read what is needed before the commit"
        )
    if reason == "subclass":
        root = (path[0] if path else mapper).mapper.base_mapper.class_
        text = f"selectin_polymorphic({root.__name__}, [{entity}])"
        return Cure(text, _imports({"selectin_polymorphic"}, {root, mapper.class_}), is_expression=True)
    return _undefer(path, mapper, sorted(names))


def _undefer(path: Path, mapper: Any, names: list[str]) -> Cure:
    entity = mapper.class_.__name__
    steps = relationships_of(path)
    calls = [f"defaultload({owner.__name__}.{relationship.key})" for owner, relationship in steps]
    functions = {"defaultload"} if steps else set()
    groups = {getattr(mapper.attrs[name], "group", None) for name in names}
    classes = {owner for owner, _ in steps}
    group = groups.pop() if len(groups) == 1 else None
    if group and len(names) > 1:
        functions.add("undefer_group")
        calls.append(f"undefer_group({group!r})")
    else:
        functions.add("undefer")
        classes.add(mapper.class_)
        calls += [f"undefer({entity}.{name})" for name in names]
    return Cure(".".join(calls), _imports(functions, classes), is_expression=True)


def repeat_cure(entity: Any) -> Cure:
    """The cure for a hand-written statement that runs once per row."""
    if entity is None:
        return Cure("run it once before the loop with all values: WHERE <column> = ANY(:values)")
    keys = [entity.get_property_by_column(column).key for column in entity.primary_key]
    name = entity.class_.__name__
    return Cure(
        "run it once before the loop with all values, e.g. "
        f"select({name}).where({name}.{keys[0]}.in_(values)), and look the rows up in a dictionary"
    )


def _imports(functions: set[str], classes: set[type]) -> tuple[str, ...]:
    lines = [f"from sqlalchemy.orm import {', '.join(sorted(functions))}"]
    modules: dict[str, set[str]] = {}
    for each in classes:
        if each.__module__ != "__main__" and "<locals>" not in each.__qualname__:
            modules.setdefault(each.__module__, set()).add(each.__name__)
    return (
        *lines,
        *(f"from {module} import {', '.join(sorted(names))}" for module, names in sorted(modules.items())),
    )
