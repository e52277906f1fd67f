"""A result against an earlier one."""

from dataclasses import replace

import pytest

from pitstop.bench import compare
from pitstop.errors import BenchError
from tests.bench.made import pairs, result


def made(*, after_ms=10, repeat=3, **after):
    windows = pairs(before_ms=100, after_ms=after_ms, repeat=repeat, **after)
    return result(("throughput", windows), ("latency", windows), repeat=repeat)


def test_the_same_is_no_regression():
    """A result compared with itself has gains of one."""
    comparison = compare(made(), made())
    assert comparison.regressions == ()
    assert comparison.warnings == ()
    assert all(change.gain == pytest.approx(1.0) for change in comparison.changes)


def test_slower_is_a_regression():
    """A form that became half as fast is named with its figures; the other one is not."""
    comparison = compare(made(), made(after_ms=20))
    assert {(change.form, change.metric) for change in comparison.regressions} == {
        ("tuned", "requests_per_s"),
        ("tuned", "mean_ms"),
        ("tuned", "p95_ms"),
    }
    assert str(comparison.regressions[-1]).startswith("latency, tuned, p95: 10.2 ms -> 20.4 ms, 0.50x [0.4")


def test_faster_is_none():
    """What became better is reported and lets pass."""
    comparison = compare(made(after_ms=20), made())
    assert comparison.regressions == ()
    assert max(change.gain for change in comparison.changes) == pytest.approx(2.0, rel=0.05)


def test_tolerance():
    """A change that is certain but within the tolerance lets pass."""
    old, new = made(), made(after_ms=11.2)
    assert compare(old, new).regressions
    assert compare(old, new, tolerance=0.3).regressions == ()


def test_new_errors_are_a_regression():
    """Errors where there were none are one, whatever the times say."""
    worst = compare(made(), made(errors=1)).regressions[0]
    assert (worst.metric, worst.old, worst.new) == ("errors", 0, 3)


def test_two_repeats_show_nothing():
    """With two repeats nothing is called a regression, and that is said."""
    comparison = compare(made(repeat=2), made(repeat=2, after_ms=30))
    assert comparison.regressions == ()
    assert "cannot be shown" in comparison.warnings[0]


def test_other_circumstances_are_said():
    """Another machine or another load is a warning."""
    old = made()
    old = replace(
        old,
        machine=replace(old.machine, cores=64),
        parameters=replace(old.parameters, users=5),
    )
    machine, users = compare(old, made()).warnings
    assert "another machine: 64 cores" in machine
    assert "had users 5, this one has 4" in users


def test_nothing_in_common():
    """Results of other forms cannot be compared."""
    windows = pairs(before_ms=100, after_ms=10)
    windows = [replace(each, form=each.form + "2") for each in windows]
    other = result(("throughput", windows), repeat=3, forms=("naive2", "tuned2"))
    with pytest.raises(BenchError, match="the earlier result has nothing of this one: it has naive2, tuned2"):
        compare(other, made())
