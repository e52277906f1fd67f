"""``python -m tests.cache.simulation [words]``: search the setups whose names hold the words; print counts.

``python -m tests.cache.simulation without RULE`` prints the shortest trace to a stale read without that rule.
"""

import sys
from dataclasses import replace

from tests.cache.simulation.search import search
from tests.cache.simulation.setups import PLANTED, SETUPS


def main(words: list[str]) -> None:
    """Print a line for each setup, or the trace of a planted bug."""
    if words[:1] == ["without"]:
        for rule in words[1:]:
            setup = SETUPS[PLANTED[rule]]
            print(f"without {rule}, {setup.name}:")
            print(search(replace(setup, rules=replace(setup.rules, **{rule: False}))))
        return
    for name, setup in SETUPS.items():
        if " ".join(words) in name:
            found = search(setup)
            print(f"{name}: {found}{'' if found.complete else ' (bounded)'}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
