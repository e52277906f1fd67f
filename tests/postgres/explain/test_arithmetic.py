"""Where the time goes: workers, loops, CTEs, InitPlans, nodes that never ran, and plans of any size."""

import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitstop import explain


def node(kind: str, ms: float, *plans: dict[str, Any], loops: int = 1, **more: Any) -> dict[str, Any]:
    told = {"Node Type": kind, "Actual Total Time": ms, "Actual Rows": 1, "Actual Loops": loops, **more}
    return told | ({"Plans": list(plans)} if plans else {})


def init(name: str, plan: dict[str, Any]) -> dict[str, Any]:
    return plan | {"Parent Relationship": "InitPlan", "Subplan Name": name}


def own(root: dict[str, Any]) -> list[float]:
    return [round(each.self_ms, 6) for each in explain.parse({"Plan": root}).nodes()]


def test_loops_are_multiplied() -> None:
    """A time is that of one execution on average."""
    assert own(node("Nested Loop", 60.0, node("Seq Scan", 10.0), node("Index Scan", 0.4, loops=100))) == [
        10.0,
        10.0,
        40.0,
    ]


def test_workers_count_once() -> None:
    """Three processes side by side take the time of one; what they repeat inside is shared among them."""
    below = node(
        "Nested Loop", 90.0, node("Seq Scan", 30.0, loops=3), node("Index Scan", 0.5, loops=300), loops=3
    )
    plan = explain.parse({"Plan": node("Gather", 100.0, below, **{"Workers Launched": 2})})
    assert [round(each.total_ms, 6) for each in plan.nodes()] == [100.0, 90.0, 30.0, 50.0]
    assert [round(each.self_ms, 6) for each in plan.nodes()] == [10.0, 10.0, 30.0, 50.0]


def test_workers_that_take_longer_than_the_gather() -> None:
    """The leader was busy elsewhere while they worked: the parts still add up to the whole."""
    below = node("Parallel Seq Scan", 150.0, loops=3)
    assert own(node("Aggregate", 200.0, node("Gather", 100.0, below))) == [100.0, 0.0, 100.0]


def test_a_cte_belongs_to_its_reader() -> None:
    """It is printed at the top and runs inside the scan that reads it first; a second one pays nothing."""
    scans = (node("CTE Scan", 105.0, **{"CTE Name": "a"}), node("CTE Scan", 5.0, **{"CTE Name": "a"}))
    root = node("Hash Join", 120.0, init("CTE a", node("Seq Scan", 100.0)), *scans)
    assert own(root) == [10.0, 100.0, 5.0, 5.0]


@pytest.mark.parametrize(
    ("name", "mention"),
    [("InitPlan 1 (returns $0)", "(total > $0)"), ("InitPlan 1", "(total > (InitPlan 1).col1)")],
)
def test_an_init_plan_belongs_to_who_uses_it(name: str, mention: str) -> None:
    """It runs where its value is first asked for, as the names of PostgreSQL up to 16 and from 17 tell."""
    scan = node("Seq Scan", 80.0, Filter=mention)
    assert own(node("Aggregate", 90.0, init(name, node("Result", 50.0)), scan)) == [10.0, 50.0, 30.0]


def test_an_init_plan_nobody_shows() -> None:
    """Without VERBOSE its reader may be hidden; then it belongs to the node that it is printed at."""
    assert own(node("Result", 50.0, init("InitPlan 1", node("Aggregate", 45.0)))) == [5.0, 45.0]


def test_a_write_that_runs_after_the_root() -> None:
    """A data-modifying CTE that is not read runs at the end: the whole is longer than the root."""
    root = node("Result", 1.0, init("CTE w", node("ModifyTable", 50.0, Operation="Insert")))
    plan = explain.parse({"Plan": root})
    assert (plan.total_ms, sum(each.self_ms for each in plan.nodes())) == (51.0, 51.0)


def test_never_executed() -> None:
    """What never ran took nothing and had no rows."""
    plan = explain.parse(
        "Append  (cost=0.00..1.00 rows=1 width=4) (actual time=0.010..0.020 rows=0 loops=1)\n"
        "  ->  Seq Scan on t  (cost=0.00..1.00 rows=1 width=4) (never executed)\n"
    )
    scan = plan.nodes()[1]
    assert (scan.never_executed, scan.self_ms, scan.rows, scan.loops) == (True, 0.0, 0.0, 0)


def test_without_times() -> None:
    """TIMING OFF and plain EXPLAIN have no times; rows and loops are there if it ran."""
    estimated = explain.parse("Seq Scan on t  (cost=0.00..1.00 rows=7 width=4)")
    counted = explain.parse("Seq Scan on t  (cost=0.00..1.00 rows=7 width=4) (actual rows=5.50 loops=2)")
    assert (estimated.is_analyzed, estimated.root.rows, estimated.root.loops) == (False, None, None)
    assert (counted.has_times, counted.root.rows, counted.root.total_rows) == (False, 5.5, 11.0)
    assert counted.total_ms == 0.0


trees: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.builds(lambda ms, loops: node("Seq Scan", ms, loops=loops), st.floats(0.0, 1e4), st.integers(0, 50)),
    lambda below: st.builds(
        lambda kind, ms, plans: node(kind, ms, *plans),
        st.sampled_from(["Nested Loop", "Gather", "Append", "Sort"]),
        st.floats(0.0, 1e5),
        st.lists(below, min_size=1, max_size=4),
    ),
    max_leaves=30,
)


@given(trees)
@settings(deadline=None)
def test_the_parts_are_the_whole(tree: dict[str, Any]) -> None:
    """Whatever the figures, no part is negative and all of them are the time of the root."""
    plan = explain.parse(tree)
    parts = [each.self_ms for each in plan.nodes()]
    assert min(parts) >= 0.0
    assert sum(parts) == pytest.approx(plan.total_ms)


def wide(count: int) -> dict[str, Any]:
    scans = (node("Seq Scan", 1.0, Filter="(a = 5)", **{"Relation Name": f"t{n}"}) for n in range(count))
    return node("Append", float(count), *scans)


def deep(count: int) -> dict[str, Any]:
    root = node("Seq Scan", 1.0)
    for depth in range(count):
        root = node("Limit", 2.0 + depth, root)
    return root


def calls_of(work: Callable[[], object]) -> int:
    """How many calls a piece of work makes: as its time, without the noise."""
    calls = 0

    def count(frame: object, kind: str, argument: object) -> None:
        nonlocal calls
        calls += kind in ("call", "c_call")

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize("shape", [wide, deep])
def test_ten_thousand_nodes(shape: Any) -> None:
    """Ten times the nodes take ten times the work, not a hundred; depth takes no stack."""
    few, many = {"Plan": shape(1_000)}, {"Plan": shape(10_000)}
    assert calls_of(lambda: explain.parse(many)) < 11 * calls_of(lambda: explain.parse(few))
    plan = explain.parse(many)
    assert len(plan.nodes()) == 10_001
    assert len(str(plan)) > 0
