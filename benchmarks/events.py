"""What ``emit`` costs with no subscriber, beside an empty function call."""

import statistics
import timeit

from pitstop.events import emit


def _nothing(record: object) -> None:
    return None


def main() -> None:
    record = object()
    number, rounds = 200_000, 9
    times: dict[str, list[float]] = {"emit, no subscriber": [], "empty function": []}
    for _ in range(rounds):
        for name, function in (("emit, no subscriber", emit), ("empty function", _nothing)):
            seconds = timeit.timeit(lambda f=function: f(record), number=number)
            times[name].append(seconds / number * 1e9)
    print("\nevents: nanoseconds per call, median of 9 interleaved rounds")
    for name, each in times.items():
        print(f"  {name:22} {statistics.median(each):6.0f}")


if __name__ == "__main__":
    main()
