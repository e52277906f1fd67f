"""``pitstop fix``."""


def fix() -> None:
    """Not there yet."""
