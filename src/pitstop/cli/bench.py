"""``pitstop bench``."""


def bench() -> None:
    """Not there yet."""
