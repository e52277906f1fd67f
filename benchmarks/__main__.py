"""``python -m benchmarks [NAME ...]``: run the named benchmarks, or all of them."""

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
    "cache_redis",
    "cache_values",
)


def main() -> int:
    names = sys.argv[1:] or NAMES
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        print(f"no benchmark named {', '.join(unknown)}; there are: {', '.join(NAMES)}", file=sys.stderr)
        return 2
    for name in names:
        import_module(f"benchmarks.{name}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main())
