"""How large a B-tree will be, from the statistics of its columns."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["BTreeSize", "IndexColumn", "btree_height", "btree_size"]

_ALIGNMENT = {"c": 1, "s": 2, "i": 4, "d": 8}
_PAGE_BYTES = 8192 - 24 - 16
_LEAF_SHARE = 0.9
_INNER_SHARE = 0.7
_POSTING_BYTES = 812  # of one deduplicated tuple, at the most, in a build
_POINTER_BYTES = 4
_TID_BYTES = 6

# Equal values of these may look different, so PostgreSQL does not fold them (btequalimage).
_NOT_FOLDED = ("numeric", "real", "double precision", "jsonb", "interval", "record")


@dataclass(frozen=True, slots=True)
class IndexColumn:
    """A column of an index.

    Attributes:
        bytes: of its type, -1 where they vary.
        alignment: as ``pg_attribute.attalign``.
        width: bytes on average, as ``pg_stats.avg_width``.
        type: as ``format_type`` writes it.
        is_key: False below INCLUDE.
    """

    bytes: int
    alignment: str
    width: float
    type: str
    is_key: bool = True


@dataclass(frozen=True, slots=True)
class BTreeSize:
    """Pages in all, and levels above the leaves."""

    pages: int
    height: int


def btree_size(columns: Sequence[IndexColumn], *, rows: float, distinct: float) -> BTreeSize:
    """The size of a freshly built B-tree (nbtree/README of PostgreSQL: page layout and deduplication).

    Args:
        columns: in their order, with those of INCLUDE.
        rows: how many it has.
        distinct: how many different keys they have.
    """
    tuple_bytes = _tuple_bytes(columns)
    plain = rows * (tuple_bytes + _POINTER_BYTES)
    bytes_ = min(plain, _folded(tuple_bytes, rows, distinct)) if _folds(columns) else plain
    leaves = max(1, math.ceil(bytes_ / (_PAGE_BYTES * _LEAF_SHARE)))
    fanout = _fanout(_tuple_bytes([each for each in columns if each.is_key]))
    return BTreeSize(1 + leaves + _inner_pages(leaves, fanout), _height(leaves, fanout))


def btree_height(pages: int, columns: Sequence[IndexColumn]) -> int:
    """How many levels a B-tree of so many pages has above its leaves.

    Args:
        pages: of the whole index.
        columns: of the index.
    """
    return _height(max(pages - 1, 1), _fanout(_tuple_bytes([each for each in columns if each.is_key])))


def _height(leaves: int, fanout: float) -> int:
    return math.ceil(math.log(leaves) / math.log(fanout) - 1e-9) if leaves > 1 else 0


def _fanout(tuple_bytes: float) -> float:
    return max(2.0, _PAGE_BYTES * _INNER_SHARE / (tuple_bytes + _POINTER_BYTES))


def _inner_pages(leaves: int, fanout: float) -> int:
    pages, level = 0, leaves
    while level > 1:
        level = math.ceil(level / fanout)
        pages += level
    return pages


def _tuple_bytes(columns: Sequence[IndexColumn]) -> float:
    offset = 8.0
    for each in columns:
        alignment = _ALIGNMENT[each.alignment] if each.bytes > 0 else 1
        offset = math.ceil(offset / alignment) * alignment + (each.bytes if each.bytes > 0 else each.width)
    return math.ceil(offset / 8) * 8


def _folds(columns: Sequence[IndexColumn]) -> bool:
    return all(
        each.is_key and not each.type.endswith(("[]", "range")) and each.type not in _NOT_FOLDED
        for each in columns
    )


def _folded(tuple_bytes: float, rows: float, distinct: float) -> float:
    if distinct <= 0:
        return math.inf
    each = rows / distinct
    most = max(1.0, (_POSTING_BYTES - tuple_bytes) // _TID_BYTES)
    return distinct * math.ceil(each / most) * (tuple_bytes + _POINTER_BYTES) + rows * _TID_BYTES
