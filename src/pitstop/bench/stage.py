"""Sets the stage of a run: servers, a database for each form, a server process for each form."""

import http.client
import secrets
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from pitstop.bench.child import child, tail
from pitstop.bench.meter import Database, listening_process
from pitstop.bench.records import Mode
from pitstop.bench.subject import Plan, ServerPair, Service, service_plan
from pitstop.errors import BenchError, require

__all__ = ["Form", "Stage", "set_stage", "start_form"]

Say = Callable[[str], None]

COME_UP_S = 60.0
ANSWER_S = 10.0


@dataclass(frozen=True, slots=True)
class Form:
    """One server that is up and can be loaded."""

    name: str
    url: str
    pid: int | None
    database: Database | None
    counts_url: str | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything a run needs.

    Attributes:
        scenarios: measurement -> Locust class in the locustfile, empty for the only one there.
        directory: for logs and records; deleted at the end.
        scale: of the data, None where it is not ours.
    """

    subject: str
    forms: tuple[Form, ...]
    locustfile: str
    scenarios: dict[Mode, str]
    directory: Path
    scale: int | None


@contextmanager
def set_stage(subject: Service | ServerPair, *, say: Say) -> Iterator[Stage]:
    """Set everything up for a block, and take it down after it, whatever happens.

    Args:
        say: told what is being done, in a few words.

    Raises:
        BenchError: something does not come up; the message has the end of its log.
    """
    with ExitStack() as stack:
        name = stack.enter_context(tempfile.TemporaryDirectory(prefix="pitstop-bench-"))
        if isinstance(subject, Service):
            yield _stage_service(service_plan(subject), subject.database_url, stack, Path(name), say)
        else:
            yield _stage_servers(subject, stack, Path(name), say)


def _stage_servers(subject: ServerPair, stack: ExitStack, directory: Path, say: Say) -> Stage:
    if not subject.locustfile.is_file():
        raise BenchError(f"no locustfile at {subject.locustfile}")
    database = _open(subject.database_url, stack) if subject.database_url else None
    forms = []
    for name, url, pid in (
        ("before", subject.before, subject.before_pid),
        ("after", subject.after, subject.after_pid),
    ):
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise BenchError(
                f"{url!r} ({name}) is no address of a server: write it like http://127.0.0.1:8000"
            )
        say(f"looking for {name} at {url}")
        if not _answers(url):
            raise BenchError(f"nobody answers at {url} ({name}): start the server first")
        forms.append(Form(name, url.rstrip("/"), pid or listening_process(url), database))
    scenarios: dict[Mode, str] = {"throughput": subject.scenario, "latency": subject.scenario}
    named = f"{_public(subject.before)} -> {_public(subject.after)}"
    return Stage(named, tuple(forms), str(subject.locustfile.resolve()), scenarios, directory, None)


def _public(url: str) -> str:
    """An address without the name and password that it may carry."""
    where = urlsplit(url)
    return where._replace(netloc=where.netloc.rpartition("@")[2]).geturl()


def _stage_service(plan: Plan, url: str | None, stack: ExitStack, directory: Path, say: Say) -> Stage:
    require("uvicorn", extra="all", what="benchmarks of the services")
    if url is None:
        from pitstop.servers import private_servers

        say("starting a private PostgreSQL")
        url = stack.enter_context(private_servers(redis=False)).sync_database_url
    redis_url = _redis(plan, stack, say)
    forms = []
    for form, database_url in _databases(plan, url, stack, say).items():
        say(f"starting {form}")
        redis = redis_url if form in plan.redis_forms else None
        address, pid = start_form(plan.factory, form, database_url, stack, directory, redis_url=redis)
        forms.append(Form(form, address, pid, _open(database_url, stack), counts_url=address))
    return Stage(plan.service, tuple(forms), plan.locustfile, plan.scenarios, directory, plan.scale)


def _redis(plan: Plan, stack: ExitStack, say: Say) -> str | None:
    """The Redis of the forms that are measured with one."""
    if not set(plan.redis_forms).intersection(plan.forms):
        return None
    from pitstop.servers import private_servers

    say("starting a private Redis")
    return stack.enter_context(private_servers(postgresql=False)).redis_url


def _open(url: str, stack: ExitStack) -> Database:
    database = Database(url)
    stack.callback(database.close)
    return database


def _databases(plan: Plan, url: str, stack: ExitStack, say: Say) -> dict[str, str]:
    """One database for each form: seeded once, cloned, each taken to its form's revision."""
    from pitstop.servers import create_database, drop_database

    run = secrets.token_hex(4)
    first = f"pitstop_bench_{run}"
    stack.callback(drop_database, url, first)
    say(f"seeding {plan.service} at scale {plan.scale}")
    template = create_database(url, first)
    migrate = plan.module("migrations").migrate
    migrate(template, min(plan.forms.values()))
    plan.module("seed").seed(template, scale=plan.scale)
    made = {}
    for number, (form, revision) in enumerate(plan.forms.items()):
        say(f"preparing the database of {form}")
        stack.callback(drop_database, url, f"{first}_{number}")
        made[form] = create_database(url, f"{first}_{number}", template=first)
        migrate(made[form], revision)
        _settle(made[form])
    return made


def _settle(url: str) -> None:
    """Statistics and visibility as on a server that has been up for a while, before anything is timed."""
    plain = url.replace("+asyncpg", "").replace("+psycopg", "")
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE)")


def start_form(
    factory: str,
    form: str,
    database_url: str,
    stack: ExitStack,
    directory: Path,
    *,
    redis_url: str | None = None,
) -> tuple[str, int]:
    """Start a form's server; its address and process."""
    redis = {} if redis_url is None else {"PITSTOP_REDIS_URL": redis_url}
    log = directory / f"{form}.log"
    # Bound here and inherited: no other process can take the port in between.
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 0))
        process = stack.enter_context(
            child(
                "pitstop.bench.serving",
                [factory, f"--form={form}", f"--descriptor={listener.fileno()}"],
                log=log,
                # Through the environment: `ps` shows command lines to everybody.
                environment={"PITSTOP_DATABASE_URL": database_url, **redis},
                descriptors=[listener.fileno()],
            )
        )
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    _await_answer(process, url, form=form, log=log)
    return url, process.pid


def _await_answer(process: subprocess.Popen[str], url: str, *, form: str, log: Path) -> None:
    deadline = time.monotonic() + COME_UP_S
    while not _answers(url):
        if process.poll() is not None:
            raise BenchError(f"the server of {form!r} ended while starting:{tail(log)}")
        if time.monotonic() > deadline:
            raise BenchError(f"the server of {form!r} did not answer within {COME_UP_S:.0f} s:{tail(log)}")
        time.sleep(0.05)


def _answers(url: str) -> bool:
    """Whether an HTTP server answers there, whatever it says."""
    where = urlsplit(url)
    kind = http.client.HTTPSConnection if where.scheme == "https" else http.client.HTTPConnection
    connection = kind(where.hostname or "", where.port, timeout=ANSWER_S)
    try:
        connection.request("GET", where.path or "/")
        connection.getresponse().read(1)
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True
