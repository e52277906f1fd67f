"""Advice for the size of a pool."""

import pytest

from pitstop.errors import SettingsError
from pitstop.pool import size_pool


@pytest.mark.parametrize(
    ("cores", "workers", "most", "expected"),
    [
        (4, 1, 100, (9, 18, 27)),
        (4, 4, 100, (3, 6, 36)),
        (16, 4, 100, (9, 14, 92)),
        (2, 30, 100, (1, 2, 90)),
        (64, 1, 100, (92, 0, 92)),
    ],
)
def test_cores_workers_and_connections(
    cores: int, workers: int, most: int, expected: tuple[int, int, int]
) -> None:
    """About two statements a core, shared by the workers, never above the worker's share."""
    advised = size_pool(cores=cores, workers=workers, max_connections=most)
    assert (advised.size, advised.overflow, advised.total) == expected
    assert advised.total <= most - 8


def test_more_workers_than_connections() -> None:
    """What cannot fit is said, with the way out."""
    with pytest.raises(SettingsError, match=r"20 connections are not enough for 13 workers.*PgBouncer"):
        size_pool(cores=2, workers=13, max_connections=20)
