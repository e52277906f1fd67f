"""The first page of an index: what the planner reads there, written so that an empty index looks grown."""

import struct
from pathlib import Path

__all__ = ["PAGE_BYTES", "page_checksum", "write_btree_height", "write_gin_counts"]

PAGE_BYTES = 8192
SEGMENT_PAGES = 131_072  # a relation's file is cut every GiB

_HEADER_BYTES = 24
_CHECKSUM = slice(8, 10)
_WORDS = struct.Struct("<2048I")
_BTREE_MAGIC = 0x053162
_LEAF, _ROOT = 1, 2
_LAYOUT = 4  # of pages since PostgreSQL 8.3
_PIVOT = 0x2000 | 8  # a downlink without key columns, 8 bytes
_LINE = 24  # where the item pointers of a page begin

# src/include/storage/checksum_impl.h of PostgreSQL: FNV-1a on 32 columns.
_PRIME = 16_777_619
_MASK = 0xFFFFFFFF
_BASES = (
    0x5B1F36E9, 0xB8525960, 0x02AB50AA, 0x1DE66D2A, 0x79FF467A, 0x9BB9F8A3, 0x217E7CD2, 0x83E13D2C,
    0xF8D4474F, 0xE39EB970, 0x42C6AE16, 0x993216FA, 0x7B093B5D, 0x98DAFF3C, 0xF718902A, 0x0B1C9CDB,
    0xE58F764B, 0x187636BC, 0x5D7B3BB1, 0xE73DE7DE, 0x92BEC979, 0xCCA6C0B2, 0x304A0979, 0x85AA43D4,
    0x783125BB, 0x6CA8EAA2, 0xE407EAC6, 0x4B5CFC3E, 0x9FBF8C76, 0x15CA20BE, 0xF2CA9FD3, 0x959BD756,
)  # fmt: skip


def page_checksum(page: bytes, block: int) -> int:
    """The checksum that PostgreSQL keeps in bytes 8 and 9 of a page.

    Args:
        page: 8,192 bytes; what stands in the place of the checksum does not count.
        block: the number of the page in its relation.
    """
    blank = bytearray(page)
    blank[_CHECKSUM] = b"\0\0"
    sums = list(_BASES)
    words = (*_WORDS.unpack(blank), *(0 for _ in range(64)))
    for place, word in enumerate(words):
        mixed = sums[place % 32] ^ word
        sums[place % 32] = (mixed * _PRIME & _MASK) ^ (mixed >> 17)
    folded = 0
    for each in sums:
        folded ^= each
    return ((folded ^ block) % 65_535) + 1


def write_btree_height(file: Path, height: int) -> None:
    """Let an empty B-tree have its root ``height`` levels above its leaves, each level a page.

    The planner charges each level of the descent, and looks for the least and greatest value in the leaves.
    Nobody may have read the index since it was made.

    Args:
        file: the first file of the index.
        height: levels above the leaves; 0 for a tree of one page.
    """
    page = _read(file)
    if struct.unpack_from("<I", page, _HEADER_BYTES)[0] != _BTREE_MAGIC:
        return
    struct.pack_into("<4I", page, _HEADER_BYTES + 8, 1, height, 1, height)
    _write(file, [page, *(_btree_page(block, height) for block in range(1, height + 2))])


def write_gin_counts(file: Path, *, pages: int, entry_pages: int, entries: int) -> None:
    """Let an empty GIN index say how many distinct entries it has and on how many pages they are.

    Args:
        file: the first file of the index.
        pages: all pages of the index.
        entry_pages: those of the tree of entries.
        entries: distinct entries.
    """
    page = _read(file)
    struct.pack_into("<3I", page, _HEADER_BYTES + 24, pages, entry_pages, max(pages - entry_pages - 1, 0))
    struct.pack_into("<q", page, _HEADER_BYTES + 40, entries)
    _write(file, [page])


def _btree_page(block: int, height: int) -> bytearray:
    """The only page of its level: below the root each block is the child of the one before."""
    level = height + 1 - block
    page = bytearray(PAGE_BYTES)
    special = PAGE_BYTES - 16
    item = special - 8 if level else special
    lower = _LINE + 4 if level else _LINE
    struct.pack_into("<HHHHHHI", page, 8, 0, 0, lower, item, special, PAGE_BYTES | _LAYOUT, 0)
    if level:
        struct.pack_into("<I", page, _LINE, item | 1 << 15 | 8 << 17)
        child = block + 1
        struct.pack_into("<4H", page, item, child >> 16, child & 0xFFFF, 0, _PIVOT)
    flags = (_ROOT if block == 1 else 0) | (0 if level else _LEAF)
    struct.pack_into("<3I2H", page, special, 0, 0, level, flags, 0)
    return page


def _read(file: Path) -> bytearray:
    with file.open("rb") as opened:
        return bytearray(opened.read(PAGE_BYTES))


def _write(file: Path, pages: list[bytearray]) -> None:
    for block, page in enumerate(pages):
        struct.pack_into("<H", page, 8, page_checksum(bytes(page), block))
    with file.open("r+b") as opened:
        opened.write(b"".join(pages))
