"""``python -m benchmarks [NAME ...]``: run the named benchmarks, or all of them.

``python -m benchmarks cache [--only QUESTION ...] [--quick]`` runs apart: its peers have an environment of
their own (``make bench-cache``). ``cache_race`` runs apart too: it takes half an hour (``make race``);
``indexes`` takes some minutes.
"""

import sys
from importlib import import_module

NAMES = (
    "observation_cost",
    "observation",
    "events",
    "implicit_loading",
    "slow_log",
    "peer_loading",
    "read_model",
    "pool",
    "cache_redis",
    "cache_values",
    "cache_responses",
    "bulk_update",
    "explain",
)
APART = ("cache", "cache_race", "indexes")


def main() -> int:
    if sys.argv[1:2] and sys.argv[1] in APART:
        apart: int = import_module(f"benchmarks.{sys.argv[1]}").main(sys.argv[2:])
        return apart
    names = sys.argv[1:] or NAMES
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        there = ", ".join((*NAMES, *APART))
        print(f"no benchmark named {', '.join(unknown)}; there are: {there}", file=sys.stderr)
        return 2
    for name in names:
        import_module(f"benchmarks.{name}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main())
