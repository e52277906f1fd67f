"""The groups that the detector folds executions into: what was loaded or run again, from where, how often."""

import re
from collections.abc import Hashable

from pitstop.location import Location, Site
from pitstop.postgres import only_pages, split_literals
from pitstop.sql.lineage import Execution, Origin

__all__ = ["Group", "RowLoads", "StatementRuns", "climbs"]

MAX_DISTINCT = 64
_SAMPLES = 3
_ACTS = re.compile(
    r"\b(?:pg_notify|pg_(?:try_)?advisory_\w+|pg_sleep|set_config|nextval|setval)\s*\(", re.IGNORECASE
)


class Group:
    """What all groups count: executions, their time, and which code touched how often."""

    __slots__ = ("count", "distinct", "first_execution", "ms", "sites", "touches")

    def __init__(self, execution: Execution | None) -> None:
        self.first_execution = execution
        self.count = 0
        self.ms = 0.0
        self.touches: dict[int, int] = {}
        self.sites: dict[int, Site] = {}
        self.distinct: set[Hashable] = set()

    def add(self, site: Site, ms: float, what: Hashable) -> None:
        """Count one execution for ``what`` (a row, a set of values), caused at a site."""
        self.count += 1
        self.ms += ms
        stack = site.stack
        if stack in self.touches:
            self.touches[stack] += 1
        elif len(self.touches) < MAX_DISTINCT:
            self.touches[stack] = 1
            self.sites[stack] = site
        if len(self.distinct) < MAX_DISTINCT:
            self.distinct.add(what)

    @property
    def most_touched(self) -> int:
        """How often the chain of calls that did it most did it."""
        return max(self.touches.values(), default=0)

    @property
    def location(self) -> Location | None:
        """The line of that chain."""
        return self._most_touching.location

    @property
    def callers(self) -> tuple[Location, ...]:
        """The lines that led to it."""
        return self._most_touching.callers

    @property
    def _most_touching(self) -> Site:
        return self.sites[max(self.touches, key=self.touches.__getitem__)]


class RowLoads(Group):
    """Loads that complete rows of a query: of one relationship path, or of the same columns."""

    __slots__ = ("levels", "quiet", "writes")

    def __init__(self, execution: Execution) -> None:
        super().__init__(execution)
        self.levels: dict[tuple[int, int], int] = {}  # (depth, result set) -> loads
        self.quiet = 0  # repeats with no write in between
        self.writes = -1

    def add_load(self, execution: Execution, ms: float, writes: int) -> None:
        """Count one load; ``writes`` is how many statements have written so far."""
        state = execution.state
        self.add(execution.site, ms, id(state) if state.key is None else state.key)
        level = (len(execution.path), id(execution.origin) if execution.origin else state.runid or 0)
        if level in self.levels or len(self.levels) < MAX_DISTINCT:
            self.levels[level] = self.levels.get(level, 0) + 1
        self.quiet += self.writes == writes
        self.writes = writes


class StatementRuns(Group):
    """One hand-written statement from one chain of calls."""

    __slots__ = ("entity", "samples", "text")

    def __init__(self, origin: Origin | None, text: str) -> None:
        super().__init__(None)
        self.entity = origin.entity if origin is not None else None
        self.text = text
        self.samples: list[object] = []

    def add_run(self, site: Site, ms: float, parameters: object) -> None:
        """Count one run with its parameters."""
        known = len(self.distinct)
        self.add(site, ms, _digest(parameters))
        if len(self.distinct) > known and len(self.samples) < _SAMPLES:
            self.samples.append(parameters)

    @property
    def acts(self) -> bool:
        """Whether it is run for what it does (a lock, a notification, a setting), not for its rows."""
        return _ACTS.search(self.text) is not None

    def comparable(self) -> tuple[str, list[object]]:
        """The text and the parameters of some runs; values that stand in the text are taken out of it."""
        if not isinstance(self.samples[0], str):
            return self.text, self.samples
        return split_literals(self.text)[0], [split_literals(str(sample))[1] for sample in self.samples]

    @property
    def pages(self) -> bool:
        """Whether the runs differ only as pages or batches do."""
        text, (first, *others) = self.comparable()
        return all(only_pages(text, first, other) for other in others)


def _digest(parameters: object) -> Hashable:
    values = tuple(parameters.values()) if isinstance(parameters, dict) else parameters
    try:
        return hash(values)
    except TypeError:
        return repr(values)


def climbs(group: RowLoads) -> bool:
    """Whether each load went one level further, as when walking up a chain of parents."""
    return len({depth for depth, _ in group.levels}) == len(group.levels) > 1
