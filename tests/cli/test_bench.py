"""The command ``pitstop bench``, as a process of its own."""

import json
import os
import pty
import signal
import socket
import subprocess
import sys
import time

import psutil
import pytest

COMMAND = [sys.executable, "-c", "from pitstop.cli import main; main()", "bench"]
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("PITSTOP_")}
SHORT = ["--seconds", "1", "--repeat", "1", "--warmup", "0.2", "--users", "10", "--throughput-users", "4"]
APP = """
import asyncio, socket, sys, uvicorn
async def app(scope, receive, send):
    await asyncio.sleep(float(sys.argv[2]))
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})
config = uvicorn.Config(app, access_log=False, log_level="warning", lifespan="off")
uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(sys.argv[1]))])
"""
LOAD = """
from locust import FastHttpUser, task
class Visitor(FastHttpUser):
    @task
    def visit(self):
        self.client.get("/")
"""
DOUBTER = """
    @task
    def doubt(self):
        with self.client.get("/", catch_response=True) as response:
            response.failure("not what was asked for")
"""


@pytest.fixture
def pair(tmp_path):
    """The options that name two servers, the second one quicker, and a locustfile."""
    (tmp_path / "load.py").write_text(LOAD)
    processes, options = [], ["--locustfile", str(tmp_path / "load.py")]
    for name, delay_s in (("--before", "0.08"), ("--after", "0.01")):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            command = [sys.executable, "-c", APP, str(listener.fileno()), delay_s]
            processes.append(subprocess.Popen(command, pass_fds=[listener.fileno()]))
            options += [name, f"http://127.0.0.1:{listener.getsockname()[1]}"]
            _wait(listener.getsockname())
    yield options
    for process in processes:
        process.terminate()
        process.wait(10)


def _wait(address):
    for _ in range(600):
        with socket.socket() as client:
            if client.connect_ex(address) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("the test's server did not come up")


def bench(*arguments, directory, **how):
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**ENVIRONMENT, **how},
    )


def test_json_is_all_there_is_on_standard_output(pair, tmp_path):
    """With --json standard output is one document, the same as in the file."""
    done = bench(*pair, *SHORT, "--json", "--out", "proof", directory=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found["schema"] == 1
    assert found == json.loads((tmp_path / "proof" / "result.json").read_text())
    assert "pitstop bench --locustfile" in found["command"]


def test_passwords_stay_out_of_the_report(pair, tmp_path, sync_database_url):
    """What a DSN carries is neither in the JSON nor on the page."""
    password = sync_database_url.partition("@")[0].rpartition(":")[2]
    dsn = ["--dsn", sync_database_url]
    done = bench(*pair, *SHORT, *dsn, "--only", "throughput", "--out", "proof", directory=tmp_path)
    assert done.returncode == 0, done.stderr
    written = [path.read_text() for path in (tmp_path / "proof").iterdir()]
    assert len(written) == 2
    assert all(password not in text for text in [done.stdout, done.stderr, *written])


def test_for_a_person(pair, tmp_path):
    """Without a terminal the steps are plain lines, the finding and the report's place come last."""
    done = bench(*pair, *SHORT, "--only", "throughput", directory=tmp_path)
    assert done.returncode == 0
    assert "throughput: after, 1 of 1" in done.stderr
    assert "\x1b[" not in done.stdout + done.stderr
    assert done.stdout.strip().startswith("after serves")
    (page,) = tmp_path.glob("pitstop-bench-servers-*/report.html")
    assert str(page.relative_to(tmp_path)) in done.stdout


def test_progress_on_a_terminal(pair, tmp_path):
    """On a terminal the progress is live and gone in the end."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *pair, *SHORT, "--only", "throughput"],
        cwd=tmp_path,
        stdout=slave,
        stderr=slave,
        env={**ENVIRONMENT, "TERM": "xterm-256color", "COLUMNS": "100"},
    )
    os.close(slave)
    text = _drain(master)
    assert process.wait(60) == 0
    assert "requests/s" in text
    assert "left" in text
    assert "after serves" in text


def _drain(master):
    pieces = []
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:  # Linux says EIO when the other side has closed
            break
        if not piece:
            break
        pieces.append(piece)
    os.close(master)
    return b"".join(pieces).decode(errors="replace")


def test_errors_make_exit_code_1(pair, tmp_path):
    """A form that failed requests fails the command, with its words in front."""
    (tmp_path / "load.py").write_text(LOAD + DOUBTER)
    done = bench(*pair, *SHORT, "--only", "throughput", directory=tmp_path)
    assert done.returncode == 1
    assert done.stdout.strip().startswith("before failed")
    assert "not what was asked for" in " ".join(done.stdout.split())


def test_regression_makes_exit_code_1(pair, tmp_path):
    """Against an earlier result in which the servers were the other way round, one became worse."""
    swapped = [{"--before": "--after", "--after": "--before"}.get(word, word) for word in pair]
    often = [*SHORT, "--repeat", "3", "--only", "throughput"]
    assert bench(*swapped, *often, "--out", "old", directory=tmp_path).returncode == 0
    done = bench(*pair, *often, "--compare", "old", directory=tmp_path)
    assert done.returncode == 1
    worse = [line for line in done.stderr.splitlines() if line.endswith("WORSE")]
    assert worse[0].startswith("throughput, before, requests/s:")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to measure: name a service (blog) or give --before, --after, --locustfile"),
        (["blgo"], "no service 'blgo': there is blog"),
        (["blog", "--forms", "naive,fast"], "no form 'fast' of blog"),
        (["blog", "--before", "http://a"], "service 'blog' brings its own servers and load"),
        (["blog", "--compare", "no.json"], "no result at no.json"),
        (["blog", "--seconds", "0"], "seconds 0.0 cannot be run"),
    ],
)
def test_bad_wishes(arguments, message, tmp_path):
    """What cannot be done is one line on standard error, exit code 2."""
    done = bench(*arguments, directory=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_without_locust(tmp_path):
    """A missing Locust is told with the command that installs it."""
    hide = "import sys; sys.modules['locust'] = None; from pitstop.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", hide, "bench", "blog"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 2
    assert "load runs need the 'bench' extra: pip install 'pitstop[bench]'" in done.stderr


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_nothing_is_left_behind(number, code, tmp_path, tmp_path_factory):
    """Interrupted, terminated or killed in the middle of a window: no child lives on, no result is there."""
    process = subprocess.Popen(
        [*COMMAND, "blog", *SHORT, "--seconds", "60"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        env={**ENVIRONMENT, "TMPDIR": str(tmp_path_factory.mktemp("t"))},  # who is killed leaves logs there
    )
    for line in process.stderr:
        if "throughput: naive" in line:
            break
    time.sleep(1.5)
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) >= 4
    process.send_signal(number)
    assert process.wait(30) == code
    process.stderr.close()
    _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == []
    assert list(tmp_path.iterdir()) == []
