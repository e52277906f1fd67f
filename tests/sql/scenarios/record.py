"""What a scenario is: code in a user's style, and what a fair judge expects to hear about it."""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Mode = Literal["sync", "both", "async"]
MARK = re.compile(r"<(\w+)>")
LAZY = ("lazy-load",)
COLUMN = ("column-load",)
REPEATED = ("repeated-statement",)


@dataclass(frozen=True)
class Expect:
    """One finding.

    Attributes:
        parent: class name, or several with ``|`` between where more than one is right; "" is not looked at.
        relationship: attribute name; "" is not looked at.
        count: the extra statements, or several numbers where more than one is right.
        kinds: the kinds that are right.
        touch: the label of the lines where the load may be reported; "" is not looked at.
        query: the label of the lines of the statement; "" is not looked at.
        curable: whether a loader option cures it; else a sentence is expected.
        optional: a finding that may be made or left.
    """

    parent: str
    relationship: str
    count: int | tuple[int, ...]
    kinds: tuple[str, ...] = LAZY
    touch: str = "touch"
    query: str = "query"
    curable: bool = True
    optional: bool = False

    @property
    def counts(self) -> tuple[int, ...]:
        return self.count if isinstance(self.count, tuple) else (self.count,)


@dataclass(frozen=True)
class Scenario:
    """Code to run, and what to expect.

    Attributes:
        run: ``(session, options=())``, a coroutine function where the mode is async.
        mode: ``sync`` takes a Session, ``both`` works in ``run_sync`` too, ``async`` takes an AsyncSession.
        expected: nothing means silence.
        cured: the statements at the most once every cure is in; None where there is no cure.
        reference: makes the options that a careful engineer would write.
        helpers: functions or modules that hold marked lines too.
    """

    run: Callable[..., Any]
    mode: Mode = "both"
    expected: tuple[Expect, ...] = ()
    cured: int | None = None
    reference: Callable[[], list[Any]] | None = None
    helpers: tuple[Any, ...] = ()

    @property
    def name(self) -> str:
        return str(self.run.__name__)

    def lines(self, label: str) -> set[tuple[str, int]]:
        """Where the lines with this mark are: (file, line)."""
        found: set[tuple[str, int]] = set()
        for holder in (self.run, *self.helpers):
            source, first = inspect.getsourcelines(holder)
            file = inspect.getsourcefile(holder)
            assert file is not None
            for number, text in enumerate(source, start=max(first, 1)):
                if label in MARK.findall(text.partition("  # ")[2]):
                    found.add((file, number))
        assert found, f"{self.name} has no line marked <{label}>"
        return found


def make_positive(registry: list[Scenario]) -> Callable[..., Callable[..., Any]]:
    """A decorator that puts its function into ``registry`` as a scenario with findings."""

    def positive(*expected: Expect, **details: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        def register(run: Callable[..., Any]) -> Callable[..., Any]:
            details.setdefault("mode", "async" if inspect.iscoroutinefunction(run) else "both")
            registry.append(Scenario(run, expected=expected, **details))
            return run

        return register

    return positive


def make_negative(registry: list[Scenario]) -> Callable[..., Callable[..., Any]]:
    """A decorator that puts its function into ``registry`` as a scenario without findings."""

    def negative(**details: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        return make_positive(registry)(**details)

    return negative
