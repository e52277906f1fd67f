"""What the slow statement log and the times of statements cost, nanoseconds a statement."""

import logging
import statistics
import timeit
from collections.abc import Callable

from pitstop.location import Location
from pitstop.postgres import fingerprint
from pitstop.sql import slow
from pitstop.sql.records import Statement
from pitstop.store import Latency

ROUNDS = 9
TEXT = (
    "SELECT post.id, post.title FROM post WHERE post.id = %(id_1)s::INTEGER AND post.kind = 'news' LIMIT 20"
)


def _statement() -> Statement:
    return Statement(TEXT, fingerprint(TEXT).digest, 250.0, 20, Location("/shop/api.py", 7, "post"))


def main() -> None:
    statement, latency, parameters = _statement(), Latency(), {"id_1": 7}
    slow.log.addHandler(logging.NullHandler())
    slow.log.propagate = False

    def logged() -> None:
        slow._seen.clear()
        slow.note(statement, parameters)

    cases: dict[str, tuple[Callable[[], object], int]] = {
        "a statement as it is recorded (the limit)": (_statement, 100_000),
        "below the limit": (lambda: slow.limit_ms <= 5.0, 100_000),
        "above it, kept back": (lambda: slow.note(statement, parameters), 100_000),
        "above it, logged": (logged, 2_000),
        "its time counted": (lambda: latency.add(5.0), 100_000),
    }
    times: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(ROUNDS):
        for name, (function, number) in cases.items():
            times[name].append(timeit.timeit(function, number=number) / number * 1e9)
    print(f"\nslow_log: nanoseconds each, median of {ROUNDS} interleaved rounds")
    for name, each in times.items():
        print(f"  {name:42} {statistics.median(each):8.0f}")


if __name__ == "__main__":
    main()
