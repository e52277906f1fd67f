"""The N+1 detector: folds executions into groups as they come and judges the groups when asked.

A lazy or column load belongs to the query whose rows it completes and to the path it loads; it is an
N+1 when the same code loads it again for another row. A hand-written statement belongs to the chain of
user calls that runs it; it is an N+1 when it runs with several values that are no pages or batches.
"""

from collections.abc import Hashable
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

from pitstop.postgres import compared_columns
from pitstop.sql.cure import (
    Cure,
    How,
    HowLoaded,
    alias_cure,
    asked_cure,
    collapse,
    column_cure,
    created_cure,
    expired_cure,
    follows_itself,
    lazy_cure,
    refresh_cure,
    relationships_of,
    repeat_cure,
    together_cure,
)
from pitstop.sql.groups import Group, RowLoads, StatementRuns, climbs
from pitstop.sql.lineage import Execution, Lineage, Origin, is_reading_again
from pitstop.sql.reason import column_reason, is_asked, is_created, is_of_alias
from pitstop.sql.records import FindingKind, NPlusOne, Seen, merged

__all__ = ["Detector"]

_MAX_GROUPS = 2_000


class Detector:
    """Finds N+1 in the executions it is shown.

    Args:
        threshold: distinct values that make a repeated statement (or a lazy load on rows of different
            queries) an N+1; rows of one result need two.
        allow: patterns as for :func:`fnmatch.fnmatch`; a finding is silent when its ``Parent.relationship``
            or the file of one of its lines matches.
    """

    __slots__ = (
        "_allow",
        "_columns",
        "_forbidden",
        "_lazy",
        "_lineage",
        "_once",
        "_statements",
        "_threshold",
        "_writes",
    )

    def __init__(self, *, threshold: int = 3, allow: tuple[str, ...] = ()) -> None:
        self._threshold = threshold
        self._allow = allow
        self._lineage = Lineage()
        self._lazy: dict[tuple[Any, Any], RowLoads] = {}
        self._columns: dict[tuple[Any, Any], RowLoads] = {}
        self._forbidden: dict[tuple[Any, Any], RowLoads] = {}
        self._once: dict[Hashable, tuple[float, object]] = {}  # most statements of a request run once
        self._statements: dict[Hashable, StatementRuns] = {}
        self._writes = 0

    def see(self, seen: Seen) -> None:
        """Take note of one execution; of one that completes rows before its own rows are loaded."""
        execution = seen.execution
        if isinstance(execution, Execution):
            self._see_load(self._lineage.resolve(execution, seen.run), seen.ms)
            return
        if execution is not None:
            self._lineage.begin(execution, seen.run)
        if not seen.fingerprint.reads:
            self._writes += 1
        elif seen.site.location is not None:
            self._see_statement(seen, execution)

    def _see_statement(self, seen: Seen, origin: Origin | None) -> None:
        key = (seen.fingerprint.digest, seen.site.stack)
        parameters = seen.parameters or seen.text
        group = self._statements.get(key)
        if group is not None:
            group.add_run(seen.site, seen.ms, parameters)
        elif len(self._statements) < _MAX_GROUPS and (first := self._once.pop(key, None)) is not None:
            group = self._statements[key] = StatementRuns(origin, seen.text)
            group.add_run(seen.site, *first)
            group.add_run(seen.site, seen.ms, parameters)
        else:
            if len(self._once) >= _MAX_GROUPS:  # thousands of requests: the oldest is over
                del self._once[next(iter(self._once))]
            self._once[key] = (seen.ms, parameters)

    def see_forbidden(self, seen: Seen) -> None:
        """Take note of a load that was refused before it reached the database."""
        if not isinstance(seen.execution, Execution):
            return  # a query without await: SQLAlchemy's own message says all there is to say
        execution = self._lineage.resolve(seen.execution, 0)
        if execution.kind != "eager" and len(self._forbidden) < _MAX_GROUPS:
            group = self._forbidden.setdefault(_group_key(execution), RowLoads(execution))
            group.add_load(execution, seen.ms, self._writes)

    def _see_load(self, execution: Execution, ms: float) -> None:
        cause = execution.cause
        if execution.kind == "eager":
            group = self._group(cause) if cause is not None else None
            if group is not None:  # it would not run but for the load that brought it along
                group.count += 1
                group.ms += ms
            return
        group = self._group(execution)
        if group is not None:
            group.add_load(execution, ms, self._writes)

    def _group(self, execution: Execution) -> RowLoads | None:
        groups = self._lazy if execution.kind == "lazy" else self._columns
        key = _group_key(execution)
        group = groups.get(key)
        if group is None and len(groups) < _MAX_GROUPS:
            group = groups[key] = RowLoads(execution)
        return group

    def findings(self) -> list[NPlusOne]:
        """The N+1 so far, most statements first."""
        if not (self._lazy or self._columns or self._statements):
            return []
        found = [self._lazy_finding(key, group) for key, group in self._lazy.items() if self._is_loop(group)]
        found += [
            self._column_finding(key, group)
            for key, group in self._columns.items()
            if self._is_column_loop(group)
        ]
        found += [
            self._repeat_finding(group) for group in self._statements.values() if self._is_repeat(group)
        ]
        wanted = merged(filter(self._is_wanted, found))
        return sorted(wanted, key=lambda each: (-each.count, str(each)))

    def forbidden_findings(self) -> list[NPlusOne]:
        """What was refused so far; the allow-list does not apply, because it fails requests."""
        found = [
            self._lazy_finding(key, group)
            if _execution(group).kind == "lazy"
            else self._column_finding(key, group)
            for key, group in self._forbidden.items()
        ]
        return [replace(each, kind="forbidden-load") for each in merged(found)]

    def _is_loop(self, group: RowLoads) -> bool:
        distinct = len(group.distinct)
        if group.most_touched < 2 or distinct < 2:
            return False
        execution = _execution(group)
        if execution.origin is None and (execution.expired or is_created(execution.state)):
            return self._is_quiet(group)
        return max(group.levels.values()) >= 2 or (distinct >= self._threshold and not climbs(group))

    def _is_column_loop(self, group: RowLoads) -> bool:
        execution = group.first_execution
        if execution is not None and execution.origin is not None:
            return self._is_loop(group)
        return self._is_quiet(group)

    def _is_quiet(self, group: RowLoads) -> bool:
        """Whether rows enough were completed with no write in between."""
        return len(group.distinct) >= self._threshold and group.quiet + 1 >= self._threshold

    def _is_repeat(self, group: StatementRuns) -> bool:
        return len(group.distinct) >= self._threshold and not group.acts and not group.pages

    def _is_wanted(self, finding: NPlusOne) -> bool:
        names = [f"{finding.parent}.{finding.relationship}"]
        names += [place.file for place in (finding.location, finding.query_location) if place]
        return not any(fnmatchcase(name, pattern) for name in names for pattern in self._allow)

    def _lazy_finding(self, key: Any, group: RowLoads) -> NPlusOne:
        result, path = key
        owner, relationship = relationships_of(path)[-1]
        root = _root_of(path, group)
        execution = _execution(group)
        if execution.expired:
            cure = expired_cure(path)
        elif execution.origin is None and is_created(execution.state):
            cure = created_cure(path)
        elif max(group.levels.values()) < 2 and key not in self._forbidden:
            cure = together_cure(path)
        elif is_asked(execution.state, relationship):
            cure = asked_cure(path)
        elif is_of_alias(path, execution.origin):
            cure = alias_cure(path, [])
        else:
            cure = lazy_cure(
                _eager_levels(path, min(group.depths)),
                how=self._how(result, below=path),
                recursive=len(group.depths) > 1 and follows_itself(path),
                root=root,
                subclasses=self._subclasses(result, root) if root is not None else (),
            )
        return _finding(group, "lazy-load", owner.__name__, relationship.key, cure)

    def _column_finding(self, key: Any, group: RowLoads) -> NPlusOne:
        execution = _execution(group)
        mapper = execution.state.mapper
        path = collapse(execution.path) or (mapper,)
        if execution.user_refresh:
            return _refresh_finding(group, execution)
        names = [name for name in sorted(execution.names) if name in mapper.column_attrs]
        root = _root_of((mapper,), group) if len(path) == 1 else None
        reason = column_reason(execution, root or path[-1].mapper)
        if reason in ("deferred", "subclass") and is_of_alias(path, execution.origin):
            return _finding(
                group, "column-load", mapper.class_.__name__, ", ".join(names), alias_cure(path, names)
            )
        cure = column_cure(
            path,
            mapper,
            names,
            reason=reason,
            how=self._how(key[0], below=(*path, None)),
            root=root,
            subclasses=self._subclasses(key[0], root) if root is not None else self._below(key[0], path),
        )
        return _finding(group, "column-load", mapper.class_.__name__, ", ".join(names), cure)

    def _how(self, result: Hashable, *, below: tuple[Any, ...]) -> HowLoaded:
        """How the relationships on the way to the end of a path were loaded."""

        def how(path: tuple[Any, ...]) -> How:
            short = collapse(path)
            group = self._lazy.get((result, short))
            if group is None or len(path) >= len(below):
                return "query"
            if not follows_itself(path):
                return "lazy"
            if min(group.depths) > len(short):  # the query loads the first levels
                return "query"
            return "recursive" if len(group.depths) > 1 else "lazy"

        return how

    def _subclasses(self, result: Hashable, root: Any) -> set[type]:
        """The subclasses of a query's class whose rows were completed one by one."""
        found = [key[1][0].mapper for key in self._lazy if key[0] == result]
        found += [key[1][0] for key in self._columns if key[0] == result]
        return {mapper.class_ for mapper in found if mapper.isa(root) and mapper is not root}

    def _below(self, result: Hashable, path: tuple[Any, ...]) -> set[type]:
        """The subclasses at the end of a path whose columns were left out, not deferred."""
        base = path[-1].mapper
        return {
            mapper.class_
            for rows, (mapper, names, _, where) in self._columns
            if rows == result and where == path and mapper is not base
            if any(name in mapper.column_attrs and not mapper.attrs[name].deferred for name in names)
        }

    def _repeat_finding(self, group: StatementRuns) -> NPlusOne:
        entity = group.entity
        parent = entity.class_.__name__ if entity is not None else _first_table(group.text)
        text, (first, other, *_) = group.comparable()
        cure = repeat_cure(compared_columns(text, first, other))
        return _finding(group, "repeated-statement", parent, "", cure)


def _root_of(path: tuple[Any, ...], group: Group) -> Any:
    """The mapper that the query selects, when the path begins at a subclass of it; else None."""
    origin = _execution(group).origin
    first = path[0].mapper if path else None
    if origin is None or origin.entity is None or first is None or first is origin.entity:
        return None
    return origin.entity if first.isa(origin.entity) else None


def _execution(group: Group) -> Execution:
    assert group.first_execution is not None
    return group.first_execution


def _group_key(execution: Execution) -> tuple[Any, Any]:
    if execution.kind == "lazy":
        return (_result_key(execution), collapse(execution.path))
    # rows that no observed query loaded (created here) are grouped by the code that touches them
    rows = _result_key(execution) if execution.origin is not None else execution.site.stack
    # what was expired is cured once, wherever its rows came from
    once = execution.user_refresh or is_reading_again(execution)
    path = () if once else collapse(execution.path)
    return (rows, (execution.state.mapper, execution.names, execution.user_refresh, path))


def _result_key(execution: Execution) -> Hashable:
    """What the rows have in common: the code that issued their query, else the load that made them."""
    origin = execution.origin
    if origin is None and execution.expired:  # read again one by one: each has a run of its own
        return ("code", execution.site.stack)
    if origin is None:
        return ("run", execution.state.runid if execution.state is not None else None)
    if origin.site.location is None:
        return ("result", id(origin))
    return ("code", origin.site.stack)


def _eager_levels(path: tuple[Any, ...], depth: int) -> tuple[Any, ...]:
    """The path with the levels before it that the query loaded already, of a relationship that follows
    itself: its first lazy load is that much further from the root than the path is long.
    """
    return path + path[-2:] * ((depth - len(path)) // 2) if follows_itself(path) else path


def _first_table(text: str) -> str:
    words = text.replace('"', " ").split()
    for index, word in enumerate(words[:-1]):
        if word.lower() == "from":
            return words[index + 1].strip("(),;")
    return "statement"


def _refresh_finding(group: RowLoads, execution: Execution) -> NPlusOne:
    mapper = execution.state.mapper
    keys = {mapper.get_property_by_column(column).key for column in mapper.primary_key}
    names = sorted(execution.names - keys or execution.names)
    cure = refresh_cure(mapper, [name for name in names if name in mapper.relationships])
    return _finding(group, "column-load", mapper.class_.__name__, ", ".join(names), cure)


def _finding(group: Group, kind: FindingKind, parent: str, relationship: str, cure: Cure) -> NPlusOne:
    location = group.location
    origin = group.first_execution.origin if group.first_execution is not None else None
    query = origin.site.location if origin is not None else None
    callers = origin.site.callers if origin is not None else ()
    return NPlusOne(
        parent=parent,
        relationship=relationship,
        count=group.count,
        location=location,
        query_location=location if kind == "repeated-statement" else query,
        cure=cure.text,
        imports=cure.imports,
        kind=kind,
        total_ms=group.ms,
        is_expression=cure.is_expression,
        callers=group.callers if kind == "repeated-statement" else callers,
    )
