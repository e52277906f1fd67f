"""The clock of leases and expiries: monotonic, and it runs on while the machine sleeps where it can."""

import time
from functools import partial

__all__ = ["clock"]

# CLOCK_MONOTONIC stands still while a machine is suspended: a lease would outlive its time by as much.
clock = (
    partial(time.clock_gettime, time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic
)
