"""The load generator against servers that know what they did."""

import json
import sys
from urllib.request import urlopen

import pytest

from pitstop.bench.load import Load, run_load
from pitstop.errors import BenchError
from pitstop.statistics import percentile


def make(url, locustfile, name, *, mode="throughput", users=4, seconds=1.0, warmup=0.3):
    return Load(url, str(locustfile), name, mode, users, seconds, warmup)


def run(load, directory, *, begin=lambda: None, follow=lambda state: None):
    return run_load(load, directory=directory, begin=begin, follow=follow)


def server_says(url):
    with urlopen(f"{url}/measured") as answer:
        return json.load(answer)


def test_times_are_those_of_the_server(serve, locustfile, tmp_path):
    """The median is what the server itself measured, and a little for the way there and back."""
    url = serve(0.05)
    records = run(make(url, locustfile, "Sleeper"), tmp_path)
    ratio = percentile(sorted(records.ms), 0.5) / server_says(url)["p50_ms"]
    assert 0.98 <= ratio <= 2.0
    assert records.endpoints == ["GET /sleep"]
    assert not any(records.outcome)


def test_window_holds_all_its_requests_and_no_others(serve, locustfile, tmp_path):
    """What the server answered between the window's begin and the end is what was recorded."""
    url = serve(0.01)
    before = []
    records = run(
        make(url, locustfile, "Sleeper"), tmp_path, begin=lambda: before.append(server_says(url)["count"])
    )
    assert before[0] > 0
    assert server_says(url)["count"] - before[0] == len(records)
    assert all(0 <= start <= records.window_s + 0.1 for start in records.started)


def test_closed_loop_ignores_every_wait_time(serve, locustfile, tmp_path):
    """Without waiting means so, whatever the class and its nested task sets say."""
    records = run(make(serve(0.01), locustfile, "Patient"), tmp_path)
    assert len(records) > 4 * 5


def test_latency_users_wait_and_begin_in_the_steady_state(serve, locustfile, tmp_path):
    """Users who wait 1-3 s send half a request a second each from the beginning on, and no herd."""
    records = run(
        make(serve(0.0), locustfile, "Sleeper", mode="latency", users=60, seconds=2.0, warmup=0.0), tmp_path
    )
    assert 35 <= len(records) <= 85  # 60 expected, standard deviation about 5
    first_half = sum(start < 1.0 for start in records.started)
    assert 0.25 <= first_half / len(records) <= 0.75


def test_errors_are_recorded_with_their_words(serve, locustfile, tmp_path):
    """Answers with an error status are failures and say so."""
    records = run(make(serve(), locustfile, "Half"), tmp_path)
    failed = [records.outcomes[each] for each in records.outcome if each]
    assert failed
    assert "500" in failed[0]
    assert not all(records.outcome)


def test_progress_is_told(serve, locustfile, tmp_path):
    """Warm-up and counting are both followed, with counts that grow."""
    states = []
    run(make(serve(0.01), locustfile, "Sleeper", warmup=0.6), tmp_path, follow=states.append)
    assert {state.at for state in states} == {"warming", "counting"}
    counting = [state.requests for state in states if state.at == "counting"]
    assert counting == sorted(counting)
    assert counting[-1] > 0


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Nobody", r"no user class 'Nobody': it has Asker, Ends, Failing, Half, Patient, Sleeper"),
        ("", r"has 6 user classes: choose one with --scenario"),
        ("Ends", r"(?s)every user of Ends ended in its warm-up.*no ids to ask for"),
    ],
)
def test_loads_that_cannot_be_made(serve, locustfile, tmp_path, name, message):
    """A wrong class and users that do not live are told in the user's words."""
    with pytest.raises(BenchError, match=message):
        run(make(serve(), locustfile, name, users=1), tmp_path)


def test_broken_locustfile(serve, tmp_path):
    """A locustfile that does not import is named with its error."""
    broken = tmp_path / "broken.py"
    broken.write_text("import not_there_at_all\n")
    with pytest.raises(BenchError, match=r"broken\.py cannot be loaded: ModuleNotFoundError"):
        run(make("http://127.0.0.1:9", broken, ""), tmp_path)


def test_this_process_is_left_alone():
    """Neither Locust nor gevent get into the process that runs the bench."""
    import pitstop.bench

    assert pitstop.bench.run_bench
    assert not {"locust", "gevent"} & set(sys.modules)
