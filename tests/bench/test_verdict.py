"""What is said about the figures."""

from pitstop.bench.verdict import notes, verdict
from tests.bench.made import pairs, result


def said(**how):
    return result(("throughput", pairs(**how)), ("latency", pairs(**how)), repeat=how.get("repeat", 3))


def test_faster():
    """A gain whose interval excludes one is said with its figures and its interval."""
    throughput, latency = said(before_ms=100, after_ms=10).verdict
    assert throughput.startswith("tuned serves 10.")
    assert "x as many requests as naive" in throughput
    assert "95% of requests within 10.2 ms instead of 102 ms with 4 users" in latency
    assert "[" in throughput


def test_slower_is_said_loudly():
    """A loss is called one."""
    throughput, latency = said(before_ms=10, after_ms=20).verdict
    assert "tuned is SLOWER than naive" in throughput
    assert "SLOWER" in latency


def test_no_difference():
    """An interval that holds one is no difference, whatever the middle says."""
    steady, shaky = pairs(before_ms=10, after_ms=10), pairs(before_ms=10, after_ms=30)
    mixed = [*steady[:2], *shaky[2:4], *pairs(before_ms=30, after_ms=10)[4:]]
    assert result(("latency", mixed), repeat=3).verdict[0].startswith("No difference shown in latency")


def test_errors_come_first_and_forbid_praise():
    """A form that failed requests is named first and never called faster."""
    found = result(("throughput", pairs(before_ms=100, after_ms=10, errors=1)), repeat=3)
    assert found.failed
    assert found.verdict == (
        "tuned failed 3 of 1203 requests in the throughput run (first: 500 <b>oops</b>), "
        "so its figures there prove nothing.",
    )


def test_one_repeat_has_no_interval():
    """One repeat is said to have none, and its sentences end well."""
    found = said(before_ms=100, after_ms=10, repeat=1)
    assert "no interval" in found.notes[0]
    assert all(sentence.endswith(".") and " ." not in sentence for sentence in found.verdict)


def test_limits_are_noted():
    """A busy generator, users who were kept waiting and a busy machine are remarked on."""
    busy = pairs(before_ms=100, after_ms=10, seconds=1000.0)
    for each in busy:
        each.records.generator_cpu = 0.97
    text = " ".join(result(("latency", busy), repeat=3).notes)
    assert "the load generator used 97% of a core against tuned" in text
    assert "did not keep up" in text
    assert "cores busy" not in text


def test_others_at_work_are_noted():
    """CPU that belongs to nobody of the run makes a remark."""
    from dataclasses import replace

    loud = [
        replace(each, after=replace(each.after, machine_cpu_s=each.after.machine_cpu_s + 2.0))
        for each in pairs(before_ms=100, after_ms=10)
    ]
    assert any("Other programs" in note for note in result(("latency", loud), repeat=3).notes)


def test_nothing_measured_says_nothing():
    """No measurement, no sentence."""
    assert verdict(()) == ()
    assert notes((), repeat=3) == ()
