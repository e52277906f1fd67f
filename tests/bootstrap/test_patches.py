"""`pitstop run` with real servers: each sees every request, in every worker."""

import subprocess
import sys

import pytest

from tests.bootstrap.conftest import Place

# A worker of gunicorn's that is told to stop while it boots does not hear it and is waited for.
GUNICORN = "gunicorn {app} --bind 127.0.0.1:{port} --graceful-timeout 2"
SERVERS = {
    "uvicorn": "uvicorn {app} --port {port}",
    "uvicorn, two workers": "uvicorn {app} --port {port} --workers 2",
    "uvicorn, reload": "uvicorn {app} --port {port} --reload",
    "python -m uvicorn": f"{sys.executable} -m uvicorn {{app}} --port {{port}}",
    "hypercorn": "hypercorn {app} --bind 127.0.0.1:{port}",
    "hypercorn, two workers": "hypercorn {app} --workers 2 --bind 127.0.0.1:{port}",
    "gunicorn, uvicorn workers": f"{GUNICORN} --workers 2 --worker-class uvicorn.workers.UvicornWorker",
    "gunicorn, its own asgi workers": f"{GUNICORN} --workers 2 --worker-class asgi",
    "gunicorn, preloaded": f"{GUNICORN} --preload --worker-class asgi",
}


def seed(place: Place) -> None:
    subprocess.run([sys.executable, "-c", "import shop; shop.seed()"], cwd=place.path, check=True, timeout=60)


@pytest.mark.parametrize("server", SERVERS)
def test_a_fastapi_application_is_seen_under_each_server(place: Place, port: int, server: str) -> None:
    """Requests with their route, statements with their line and the N+1, without a change of the code."""
    seed(place)
    with place.serve(*SERVERS[server].format(app="shop:app", port=port).split(), port=port) as client:
        for _ in range(6):
            assert len(client.get("/api/authors").json()) == 10
        client.get("/api/pid/7")
    counts = place.counts()
    assert counts["GET /api/authors"] == 6, place.errors
    assert counts["GET /api/pid/{any}"] == 1
    (finding,) = [each for each in place.seen().n_plus_one.values() if each.scope == "GET /api/authors"]
    assert (finding.parent, finding.relationship, finding.requests) == ("Post", "author", 6)
    assert finding.query_location is not None
    assert (finding.query_location[0], finding.query_location[2]) == (str(place.path / "shop.py"), "authors")


@pytest.mark.parametrize("server", ["uvicorn, two workers", "hypercorn", "gunicorn, its own asgi workers"])
def test_a_raw_asgi_application_is_seen_under_each_server(place: Place, port: int, server: str) -> None:
    """Without a framework the server's hook sees the requests, named by their folded path."""
    with place.serve(*SERVERS[server].format(app="raw:app", port=port).split(), port=port) as client:
        for number in range(6):
            client.get(f"/things/{number}")
    assert place.counts() == {"GET /things/{id}": 6}, place.errors


def test_all_workers_write_one_record(place: Place, port: int) -> None:
    """Of two workers both have answered, and the record has the sum."""
    pids: set[int] = set()
    with place.serve(*SERVERS["uvicorn, two workers"].format(app="raw:app", port=port).split(), port=port):
        asked = 0
        while len(pids) < 2 and asked < 2000:
            pids.add(int(subprocess.check_output(["curl", "-s", f"http://127.0.0.1:{port}/"])))
            asked += 1
    assert len(pids) == 2
    assert place.counts() == {"GET /": asked}


def test_an_application_that_has_pitstop_already_is_counted_once(place: Place, port: int) -> None:
    """`Pitstop(app)` in the code and `pitstop run` around it: each request and statement counts once."""
    with (place.path / "shop.py").open("a") as file:
        file.write("\nfrom pitstop import Pitstop\npitstop = Pitstop(app, engine=engine)\n")
    seed(place)
    with place.serve("uvicorn", "shop:app", "--port", str(port), port=port) as client:
        client.get("/api/authors")
    scope = place.seen().scopes["request", "GET /api/authors"]
    assert (scope.count, scope.statements) == (1, 11)


def test_exit_and_signals_are_the_servers_own(place: Place, port: int) -> None:
    """Terminated, uvicorn shuts down in order and its own exit code comes out."""
    with place.serve("uvicorn", "raw:app", "--port", str(port), port=port) as client:
        client.get("/")
    assert place.exit_code == -15
    assert "Finished server process" in place.errors
