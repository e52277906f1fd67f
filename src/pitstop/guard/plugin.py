"""Pytest's way in: options, marks, the ``queries`` fixture, and the hook around the call of each test.

Loaded by pytest wherever Pitstop is installed, so importing this imports next to nothing; SQLAlchemy
comes with the first test that is watched.
"""

from collections.abc import Generator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from pitstop.guard.rules import BadMark, Rules, rules_of

if TYPE_CHECKING:
    from pitstop.sql import Queries

__all__ = ["queries"]

_MARKS = (
    "max_queries(limit): fail the test when its call executes more SQL statements than limit (pitstop)",
    "allow_n_plus_one(*patterns): N+1 of this test that are allowed, by Parent.relationship or file; "
    "all of them without a pattern (pitstop)",
)
_WAITING = pytest.StashKey["Queries"]()
_RUNNING = pytest.StashKey[ExitStack]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what can be said on the command line or in the ini file."""
    group = parser.getgroup("pitstop", "statements of tests (pitstop)")
    group.addoption(
        "--fail-on-n-plus-one", action="store_true", help="fail each test whose call has an N+1 in it"
    )
    group.addoption(
        "--allow-n-plus-one",
        action="append",
        default=[],
        metavar="PATTERN",
        help="an N+1 that is allowed, by Parent.relationship or file, as for fnmatch; may be repeated",
    )
    parser.addini("fail_on_n_plus_one", "as --fail-on-n-plus-one", type="bool", default=False)
    parser.addini("allow_n_plus_one", "as --allow-n-plus-one, one a line", type="linelist", default=[])


def pytest_configure(config: pytest.Config) -> None:
    """Make the marks known."""
    for mark in _MARKS:
        config.addinivalue_line("markers", mark)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Refuse marks that cannot work before any test runs."""
    problems = [f"{item.nodeid}: {problem}" for item in items if (problem := _problem(item))]
    if problems and not hasattr(config, "workerinput"):  # it would break a worker of pytest-xdist
        raise pytest.UsageError(*problems)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Refuse them in a worker of pytest-xdist, each at its own test."""
    problem = _problem(item)
    if problem:
        pytest.fail(problem, pytrace=False)


@pytest.fixture
def queries(request: pytest.FixtureRequest) -> "Queries":
    """The SQL statements of the test's call, of every engine, thread and event loop; set-up is not counted.

    ``count``, ``statements``, ``n_plus_one``, ``groups()``; ``reset()`` begins anew. Asked for while the test
    runs already (``request.getfixturevalue``), it counts from there.
    """
    found = _watch(rules_of(request.node))
    running = request.node.stash.get(_RUNNING, None)
    if running is not None:
        running.enter_context(found)
    else:
        request.node.stash[_WAITING] = found
    return found


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Watch the call of a test, and judge it if nothing else has failed it."""
    rules = rules_of(item)
    watched = [_watch(rules)] if rules.judging else []
    waiting = item.stash.get(_WAITING, None)
    with ExitStack() as stack:
        item.stash[_RUNNING] = stack
        try:
            _enter(item, stack, [*watched, waiting] if waiting is not None else watched)
            result = yield
        finally:
            del item.stash[_RUNNING]
    for each in watched:
        _judge(each, rules)
    return result


def _problem(item: pytest.Item) -> str:
    try:
        rules_of(item)
    except BadMark as problem:
        return str(problem)
    return ""


def _watch(rules: Rules) -> "Queries":
    from pitstop.sql import count_queries

    return count_queries(everywhere=True, allow=rules.allow)


def _enter(item: pytest.Item, stack: ExitStack, watched: "list[Queries]") -> None:
    """Begin to count; in a ``unittest.TestCase`` between its ``setUp`` and ``tearDown``."""
    case = getattr(item, "instance", None)
    call = getattr(case, "_callTestMethod", None)
    if not watched or call is None:  # not the standard library's: the whole call is counted
        for each in watched:
            stack.enter_context(each)
        return

    def counted(method: object) -> object:
        with ExitStack() as inner:
            for each in watched:
                inner.enter_context(each)
            return call(method)

    stack.callback(vars(case).pop, "_callTestMethod", None)
    vars(case)["_callTestMethod"] = counted


def _judge(queries: "Queries", rules: Rules) -> None:
    from pitstop.guard.report import verdict

    text = verdict(queries, rules)
    if text:
        pytest.fail(text, pytrace=False)
