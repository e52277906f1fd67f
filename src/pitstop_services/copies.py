"""The real rows that ship with a service, and how copies of them make a database larger."""

import csv
import gzip
from collections.abc import Sequence
from datetime import timedelta
from importlib.resources import files

__all__ = ["SHIFT", "Row", "read_rows", "stride"]

Row = dict[str, str]

# Odd on purpose: copies fall between each other's rows instead of on top of them.
SHIFT = timedelta(hours=6, minutes=7, seconds=11)


def read_rows(service: str, table: str) -> tuple[Row, ...]:
    """All rows of a file in the ``data/`` of a service, as text by column.

    Args:
        service: e.g. ``"blog"``.
        table: of ``data/<table>.csv.gz``.
    """
    packed = files(f"pitstop_services.{service}").joinpath("data", f"{table}.csv.gz").read_bytes()
    return tuple(csv.DictReader(gzip.decompress(packed).decode().splitlines()))


def stride(rows: Sequence[Row]) -> int:
    """By how much the ids of each copy lie above those of the copy before it."""
    ids = [int(row["id"]) for row in rows]
    return max(ids) - min(ids) + 1
