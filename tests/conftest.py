"""What holds for every test."""

import signal
import sys
from collections.abc import Iterator

import pytest

# A run that a shell without job control puts into the background ignores Ctrl-C, and so does what it starts:
# tests that send one would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def no_cache_takes_part() -> Iterator[None]:
    """A cache that a test leaves open takes no part in the commits of the tests after it."""
    yield
    core = sys.modules.get("pitstop.cache.core")
    for cache in list(core._caches) if core is not None else ():
        cache._leave_sessions()
