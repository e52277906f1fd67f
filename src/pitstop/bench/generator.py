"""The load generator, a process of its own: ``python -m pitstop.bench.generator``.

Locust and gevent live here and nowhere else. It tells on standard output, one JSON object a line,
how far it is; ``go`` on standard input begins the counted window, and the end of standard input
(its starter has gone) ends it at once.
"""

import argparse
import json
import os
import random
import sys
import time
from pathlib import Path
from typing import Any

from pitstop.bench.records import Records, write_records

__all__ = ["main"]

REPORT_S = 0.25
SPAWN_S = 15.0  # patience for users to come up
MAX_REQUESTS = 2_000_000
THINK_S = (1.0, 3.0)


class Refused(Exception):
    """The load cannot be made; the message is for the user."""


class Gate:
    """Holds every user between its tasks while it is closed; also decides how long they wait.

    Waiting inside the gate instead of in Locust lets the window begin and end with nobody at work,
    so that requests, statements and CPU seconds belong to exactly the same work.
    """

    def __init__(self, *, thinking: bool) -> None:
        from gevent.event import Event

        self.thinking = thinking
        self.resting = 0
        self._opened = Event()
        self._closed = Event()
        self._opened.set()

    def open(self) -> None:
        """Let the users work."""
        self._closed.clear()
        self._opened.set()

    def close(self) -> None:
        """Stop each user at the end of its task."""
        self._opened.clear()
        self._closed.set()

    def wait(self) -> float:
        """What stands in for Locust's ``wait_time``: waits here and returns 0."""
        delay = random.uniform(*THINK_S) if self.thinking else 0.0  # noqa: S311
        while self._closed.wait(delay) if delay else self._closed.is_set():
            self.resting += 1
            try:
                self._opened.wait()
            finally:
                self.resting -= 1
            delay = _residual() if self.thinking else 0.0
        return 0.0


def _residual() -> float:
    """How long a user who is somewhere in a wait of 1 to 3 s has still to wait.

    Drawn from the equilibrium distribution of the renewal process (Cox, "Renewal Theory", 1962,
    section 5.2): a wait is met with probability proportional to its length, at a uniform point of it.
    So the window begins in the steady state, without a herd and without a ramp.
    """
    low, high = THINK_S
    wait = (low * low + random.random() * (high * high - low * low)) ** 0.5  # noqa: S311
    return random.uniform(0.0, wait)  # noqa: S311


class Recorder:
    """Listens to Locust's requests and keeps those of the counted window."""

    def __init__(self) -> None:
        self.records = Records()
        self.begun: float | None = None
        self.requests = 0
        self.errors = 0

    def begin(self) -> None:
        """Count from now on."""
        self.requests = self.errors = 0
        self.begun = time.perf_counter()

    def on_request(self, **request: Any) -> None:
        """One answer, or the failure to get one."""
        ended = time.perf_counter()
        error = _message(request.get("exception"))
        self.requests += 1
        self.errors += bool(error)
        if self.begun is None:
            return
        ms = float(request.get("response_time") or 0.0)
        started = ended - ms / 1000.0 - self.begun
        name = f"{request.get('request_type')} {_bare(str(request.get('name')))}"
        self.records.add(name, started=started, ms=ms, error=error)


def _bare(name: str) -> str:
    """A request's name without its method, which Locust keeps beside it (some name it in both)."""
    method, _, rest = name.partition(" ")
    return rest if method.isupper() and rest else name


def _message(exception: object) -> str:
    if not exception:
        return ""
    return str(exception) or type(exception).__name__


class Channel:
    """The line to the process that started this one."""

    def __init__(self) -> None:
        import gevent
        from gevent.event import Event
        from gevent.fileobject import FileObject

        # What a locustfile prints must not be taken for a report: standard output becomes the log.
        self._out = os.fdopen(os.dup(1), "w", buffering=1)
        os.dup2(2, 1)
        self.go = Event()
        self._in = FileObject(os.dup(0), "rb")
        gevent.spawn(self._listen)

    def say(self, at: str, **values: object) -> None:
        """Report a state."""
        self._out.write(json.dumps({"at": at, **values}) + "\n")

    def _listen(self) -> None:
        for line in self._in:
            if line.strip() == b"go":
                self.go.set()
        os._exit(1)  # the starter has gone


class Run:
    """One load: users come up, warm up, come to rest, and are counted for a while."""

    def __init__(self, options: argparse.Namespace, channel: Channel) -> None:
        from locust.env import Environment

        self.options = options
        self.channel = channel
        self.gate = Gate(thinking=options.mode == "latency")
        self.recorder = Recorder()
        user_class = _user_class(options.locustfile, options.user_class)
        _govern(user_class, self.gate)
        self.environment = Environment(user_classes=[user_class], host=options.host)
        self.environment.events.request.add_listener(self.recorder.on_request)  # type: ignore[no-untyped-call]
        self.runner = self.environment.create_local_runner()

    def warm_up(self) -> None:
        """Bring the users up and let them work; nothing is counted."""
        spread_s = min(self.options.warmup, 2.0) if self.gate.thinking else 0.0
        rate = self.options.users / spread_s if spread_s > 0 else self.options.users
        self.runner.start(self.options.users, spawn_rate=max(rate, 1.0))
        self._spend(self.options.warmup, at="warming")
        self._until(lambda: self.runner.user_count >= self.options.users, seconds=SPAWN_S)
        self.gate.close()
        self._come_to_rest()
        if not self.runner.user_count:
            raise Refused(f"every user of {self.options.user_class or 'the locustfile'} ended in its warm-up")

    def count(self) -> Records:
        """The counted window: work begins in it, and is awaited after it."""
        self.channel.say("ready")
        self.channel.go.wait()
        records = self.recorder.records
        records.users = self.runner.user_count
        cpu_s = time.process_time()
        self.recorder.begin()
        self.gate.open()
        records.window_s = self._spend(self.options.seconds, at="counting")
        self.gate.close()
        records.generator_cpu = (time.process_time() - cpu_s) / max(records.window_s, 1e-9)
        records.stuck = self._come_to_rest()
        self.recorder.begun = None
        return records

    def stop(self) -> None:
        """Let the users say good-bye, within bounds."""
        import gevent

        with gevent.Timeout(3.0, False):
            self.runner.quit()

    def _come_to_rest(self) -> int:
        """Wait until nobody is at work; how many still are when patience ends."""
        self._until(lambda: self.gate.resting >= self.runner.user_count, seconds=self.options.drain)
        return max(int(self.runner.user_count) - self.gate.resting, 0)

    def _spend(self, seconds: float, *, at: str) -> float:
        begun = time.perf_counter()
        self._until(lambda: self.recorder.requests >= MAX_REQUESTS, seconds=seconds, at=at)
        return time.perf_counter() - begun

    def _until(self, condition: Any, *, seconds: float, at: str = "") -> None:
        import gevent

        begun = reported = time.perf_counter()
        while (now := time.perf_counter()) < begun + seconds and not condition():
            if at and now - reported >= REPORT_S:
                reported = now
                self._report(at, now - begun)
            gevent.sleep(min(0.02, max(begun + seconds - now, 0.0)))

    def _report(self, at: str, elapsed: float) -> None:
        self.channel.say(
            at, requests=self.recorder.requests, errors=self.recorder.errors, seconds=round(elapsed, 3)
        )


def _user_class(path: str, name: str) -> Any:
    """The user class of that name, or the only one in the file."""
    from locust.util.load_locustfile import load_locustfile

    try:
        classes, _ = load_locustfile(path)
    except Exception as error:
        raise Refused(f"{path} cannot be loaded: {type(error).__name__}: {error}") from error
    if name in classes:
        return classes[name]
    there = ", ".join(sorted(classes)) or "none"
    if name:
        raise Refused(f"{path} has no user class {name!r}: it has {there}")
    if len(classes) != 1:
        raise Refused(f"{path} has {len(classes)} user classes: choose one with --scenario ({there})")
    return next(iter(classes.values()))


def _govern(user_class: Any, gate: Gate) -> None:
    """Put the gate in the place of every wait time, those of nested task sets included."""
    user_class.wait_time = staticmethod(gate.wait)
    user_class.fixed_count = 0  # the number of users is ours to say
    remaining = list(user_class.tasks)
    while remaining:
        task = remaining.pop()
        if isinstance(task, type):
            task.wait_time = staticmethod(gate.wait)  # type: ignore[attr-defined]
            remaining.extend(getattr(task, "tasks", ()))


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m pitstop.bench.generator", description=__doc__)
    parser.add_argument("--locustfile", required=True)
    parser.add_argument("--user-class", default="")
    parser.add_argument("--host", required=True)
    parser.add_argument("--mode", choices=["throughput", "latency"], required=True)
    parser.add_argument("--users", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--warmup", type=float, required=True)
    parser.add_argument("--drain", type=float, required=True)
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Make one load and write its records; 2 if it cannot be made."""
    options = _options(arguments)
    import locust  # noqa: F401 - patches the standard library before anything else uses it

    channel = Channel()
    try:
        run = Run(options, channel)
        run.warm_up()
        write_records(options.out, run.count())
    except Refused as refusal:
        channel.say("refused", message=str(refusal))
        return 2
    run.stop()
    channel.say("done")
    return 0


if __name__ == "__main__":
    status = main()
    sys.stderr.flush()
    os._exit(status)  # users that hang must not keep the process
