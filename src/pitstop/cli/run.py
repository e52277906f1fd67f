"""``pitstop run``."""


def run() -> None:
    """Not there yet."""
