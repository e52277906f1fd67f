"""``pitstop doctor``."""


def doctor() -> None:
    """Not there yet."""
