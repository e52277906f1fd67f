"""From windows to figures."""

from dataclasses import replace

import pytest

from pitstop.bench.summary import summarise
from pitstop.errors import BenchError
from tests.bench.made import pairs, window


def made(mode="throughput", **how):
    return summarise(mode, pairs(**how), users=4, scenario="Made", forms=["naive", "tuned"])


def test_figures_per_request():
    """Statements, CPU and memory are those of the window, by request."""
    naive, tuned = made(before_ms=100, after_ms=10).forms
    assert (naive.queries_per_request.value, tuned.queries_per_request.value) == (165, 2)
    assert tuned.server_cpu_ms.value == pytest.approx(2.0)
    assert tuned.postgres_cpu_ms.value == pytest.approx(1.0)
    assert tuned.peak_memory_bytes.value == 50 * 2**20
    assert sorted(naive.endpoints) == ["GET /posts/0", "GET /posts/1"]
    assert sum(each.requests for each in naive.endpoints.values()) == naive.all.requests == 120


def test_gains_are_above_one_where_it_is_better():
    """More requests and shorter times are both gains."""
    measurement = made(before_ms=100, after_ms=10)
    for metric in ("requests_per_s", "p95_ms", "mean_ms"):
        assert measurement.gain("tuned", metric).value == pytest.approx(10, rel=0.1)
    assert measurement.gain("tuned", "queries_per_request").value == pytest.approx(82.5)
    assert measurement.gain("tuned", "p95_ms", endpoint="GET /posts/0").low > 9


def test_no_rate_is_compared_where_users_wait():
    """In the latency run the users' waiting sets the rate, so it is shown and not compared."""
    measurement = made("latency", before_ms=100, after_ms=10)
    assert measurement.gain("tuned", "requests_per_s") is None
    assert measurement.forms[0].all.requests_per_s.value > 0


def test_requests_under_way_at_the_end_count_with_their_time():
    """Requests a second go by when the last answer came, not by when the window ended."""
    late = window("slow", ms=[1000.0, 4000.0], seconds=2.0)
    figures = summarise("throughput", [late], users=2, scenario="", forms=["slow"]).forms[0]
    assert figures.all.requests_per_s.value == pytest.approx(2 / 5.0)


def test_errors_are_neither_fast_nor_compared():
    """A failed request is in no percentile and no rate, and its form has no gain at all."""
    measurement = made(before_ms=100, after_ms=10, errors=5)
    tuned = measurement.forms[1]
    assert tuned.all.errors == 15
    assert tuned.all.p50_ms.value >= 10
    assert tuned.first_errors == {"500 <b>oops</b>": 15}
    assert measurement.gains == ()


def test_nothing_but_errors():
    """A form that answered nothing is an error with its first message."""
    with pytest.raises(BenchError, match=r"all requests to 'bad' failed.*500 <b>oops</b>"):
        summarise("latency", [window("bad", ms=[], errors=3)], users=1, scenario="", forms=["bad"])


def test_nothing_at_all():
    """A window that is too short for one request says what to change."""
    with pytest.raises(BenchError, match="give it more --seconds"):
        summarise("latency", [window("idle", ms=[])], users=1, scenario="", forms=["idle"])


def test_users_that_never_end_are_errors():
    """A user who got no answer is counted, though there is no request to show for it."""
    hanging = window("hangs", ms=[1.0])
    hanging.records.stuck = 2
    figures = summarise("latency", [hanging], users=3, scenario="", forms=["hangs"]).forms[0]
    assert figures.all.errors == 2
    assert "did not end" in next(iter(figures.first_errors))


def test_the_hit_rate_is_that_of_the_window():
    """What caches answered before the window does not count; without a cache or a call there is no rate."""
    made = window("cached", ms=[1.0] * 10)
    before, after = replace(made.before, cache=(100, 200)), replace(made.after, cache=(190, 300))
    cached = replace(made, before=before, after=after)
    figures = summarise("throughput", [cached], users=2, scenario="", forms=["cached"]).forms[0]
    assert figures.cache_hit_rate.value == pytest.approx(0.9)
    idle = replace(cached, after=replace(after, cache=(100, 200)))
    for each in (made, idle):
        assert each.cache_hit_rate is None
