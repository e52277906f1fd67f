"""Whole runs over real servers."""

import os
from contextlib import ExitStack

import pytest

from pitstop.bench import ServerPair, Service, run_bench
from pitstop.bench.meter import listening_process
from pitstop.bench.stage import start_form
from pitstop.errors import BenchError

SHORT = {"seconds": 1.0, "warmup": 0.2, "users": 20, "throughput_users": 4}


def test_two_servers(serve, locustfile):
    """The faster of two servers is found, with CPU and memory of processes found by their port."""
    told = []
    pair = ServerPair(serve(0.06), serve(0.02), locustfile, "Sleeper")
    result = run_bench(pair, repeat=2, progress=told.append, **SHORT)
    gain = result.measurement("throughput").gain("after", "requests_per_s")
    assert gain.low > 1.5
    assert result.measurement("latency").gain("after", "p50_ms").value > 1.5
    assert result.measurement("throughput").forms[1].server_cpu_ms.value > 0
    assert result.measurement("latency").forms[1].peak_memory_bytes.value > 2**20
    assert not result.failed
    fresh = [moment.doing for moment in told if moment.fresh][2:]
    assert fresh[:4] == [f"{m}: {f}, 1 of 2" for m in ("throughput", "latency") for f in ("before", "after")]
    assert fresh[4:] == [f"{m}: {f}, 2 of 2" for m in ("throughput", "latency") for f in ("after", "before")]
    assert [moment.fraction for moment in told] == sorted(moment.fraction for moment in told)


def test_queries_per_request_are_exact(serve, locustfile, sync_database_url):
    """Three statements a request are three, without BEGIN, COMMIT and the meter's own."""
    dsn = sync_database_url.replace("+psycopg", "")
    url = serve(dsn=dsn)
    pair = ServerPair(url, url, locustfile, "Asker", database_url=sync_database_url)
    result = run_bench(pair, repeat=1, only="throughput", **SHORT)
    form = result.measurements[0].forms[0]
    assert form.queries_per_request.value == 3.0
    assert form.postgres_cpu_ms is not None
    assert result.machine.versions["postgresql"]


def test_all_failing(serve, locustfile):
    """A server that answers nothing with success ends the run with its first message."""
    url = serve()
    with pytest.raises(BenchError, match=r"all requests to 'before' failed.*500"):
        run_bench(ServerPair(url, url, locustfile, "Failing"), repeat=1, only="throughput", **SHORT)


def test_blog(sync_database_url):
    """The blog's forms run on databases of their own and leave none behind."""
    import psycopg

    service = Service("blog", ("naive", "tuned"), database_url=sync_database_url)
    result = run_bench(service, repeat=1, only="latency", **SHORT)
    naive, tuned = result.measurements[0].forms
    assert tuned.queries_per_request.value < naive.queries_per_request.value
    assert not result.failed
    assert result.parameters.scale == 1
    with psycopg.connect(sync_database_url.replace("+psycopg", "")) as connection:
        left = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE 'pitstop_bench_%'")
        assert not left.fetchall()


def test_a_form_with_a_cache(sync_database_url):
    """A form measured with a Redis gets one, its hit rate is told, and clients that check find nothing."""
    service = Service("blog", ("tuned", "cached"), database_url=sync_database_url, scenario="BlogMixed")
    result = run_bench(service, repeat=1, only="throughput", **SHORT)
    (measurement,) = result.measurements
    tuned, cached = measurement.forms
    assert measurement.scenario == "BlogMixed"
    assert tuned.cache_hit_rate is None
    assert 0 < cached.cache_hit_rate.value < 1
    assert not result.failed


@pytest.mark.parametrize(
    ("subject", "how", "message"),
    [
        ("nothing", {}, "no service 'nothing': there is blog"),
        (Service("blog", ("naive", "quick")), {}, "no form 'quick' of blog: there is naive"),
        (Service("blog", ("naive", "naive")), {}, "name one twice"),
        (Service("blog", scale=0), {}, "scale 0 cannot be seeded"),
        ("blog", {"seconds": 0}, "seconds 0 cannot be run: use 1 or more"),
        ("blog", {"repeat": 0}, "repeat 0 cannot be run"),
    ],
)
def test_wishes_that_cannot_be_met(subject, how, message):
    """What cannot work is refused before anything is started."""
    with pytest.raises(BenchError, match=message):
        run_bench(subject, **how)


def test_nobody_there(locustfile):
    """A server that is not up is named before anything is loaded."""
    pair = ServerPair("http://127.0.0.1:9", "http://127.0.0.1:9", locustfile)
    with pytest.raises(BenchError, match=r"nobody answers at http://127\.0\.0\.1:9"):
        run_bench(pair)


def test_address_without_scheme(locustfile):
    """An address that is none is refused with the way to write it."""
    with pytest.raises(BenchError, match=r"'127\.0\.0\.1:8000' \(before\) is no address of a server"):
        run_bench(ServerPair("127.0.0.1:8000", "http://127.0.0.1:9", locustfile))


def test_no_locustfile(tmp_path):
    """A locustfile that is not there is named."""
    with pytest.raises(BenchError, match="no locustfile at"):
        run_bench(ServerPair("http://127.0.0.1:9", "http://127.0.0.1:9", tmp_path / "load.py"))


def test_processes_are_found_by_port(serve):
    """The process behind a loopback URL is found, and nobody is behind another host's."""
    pid = listening_process(serve())
    assert pid
    assert pid != os.getpid()
    assert listening_process("http://192.0.2.1:80") is None


def test_secrets_stay_out_of_reprs(locustfile):
    """What carries a password does not show it."""
    secret = "postgresql://u:hunter2@h/d"
    assert "hunter2" not in repr(Service("blog", database_url=secret))
    assert "hunter2" not in repr(ServerPair("http://a", "http://b", locustfile, database_url=secret))


def test_server_that_does_not_come_up(tmp_path):
    """The end of the log of a server that ends while starting is in the message."""
    with (
        ExitStack() as stack,
        pytest.raises(BenchError, match=r"(?s)'broken' ended while starting.*not_there"),
    ):
        start_form("not_there:create_app", "broken", "postgresql://h/d", stack, tmp_path)
