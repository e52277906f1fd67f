"""Indexes that make a statement slower, and which others would do the same."""

import re
from collections.abc import Collection
from dataclasses import dataclass

from pitstop.advisor.indexes.candidate import Candidate

__all__ = ["Harm", "does_harm"]


@dataclass(frozen=True, slots=True)
class Harm:
    """An advised index that makes a statement slower.

    Attributes:
        ddl: of the index; table: that it is on.
        reads: the columns of the table that the statement uses, where it reads all of the index for them.
    """

    ddl: str
    table: str
    reads: tuple[str, ...] = ()


def does_harm(candidate: Candidate, harms: Collection[Harm]) -> bool:
    """Whether it has the keys of a harmful index, or all that a statement read such a one whole for."""
    return any(
        _keys(candidate.ddl) == _keys(each.ddl)
        or (each.reads and each.table == candidate.table and candidate.holds(each.reads))
        for each in harms
    )


def _keys(ddl: str) -> str:
    return re.sub(r" CONCURRENTLY\b| INCLUDE \([^()]*\)", "", ddl)
