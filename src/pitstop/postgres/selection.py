"""Which columns of which tables a SELECT brings, read from its text where that is plain."""

import re

__all__ = ["selected_columns"]

_MAX_CHARS = 50_000
_NAME = r'(?:"[^"]+"|\w+)'
_SELECT = re.compile(r"\s*SELECT\s+(?:DISTINCT\s+)?", re.IGNORECASE)
_FROM = re.compile(r"\sFROM\s", re.IGNORECASE)
_COLUMN = re.compile(rf"(?:{_NAME}\.)?({_NAME})\.({_NAME})(?:\s+AS\s+{_NAME})?", re.IGNORECASE)
_TABLE = re.compile(
    rf"(?:\sFROM|\sJOIN|,)\s+(?:{_NAME}\.)?({_NAME})(?:\s+AS\s+({_NAME}))?(?=[\s,;)]|$)", re.IGNORECASE
)


def selected_columns(text: str) -> frozenset[tuple[str, str]]:
    """The table and name of each column that stands plainly in the list of a SELECT.

    Expressions and columns of subqueries are left out; of a statement that begins otherwise nothing is told.

    Args:
        text: SQL as SQLAlchemy writes it, every column with its table or its alias.
    """
    begun = _SELECT.match(text[:_MAX_CHARS])
    ended = _FROM.search(text, begun.end(), _MAX_CHARS) if begun else None
    if begun is None or ended is None:
        return frozenset()
    tables = {
        _plain(alias or name): _plain(name)
        for name, alias in _TABLE.findall(text[ended.start() : _MAX_CHARS])
    }
    found = (_COLUMN.fullmatch(item.strip()) for item in text[begun.end() : ended.start()].split(","))
    columns = ((_plain(each[1]), _plain(each[2])) for each in found if each)
    return frozenset((tables[owner], column) for owner, column in columns if owner in tables)


def _plain(name: str) -> str:
    return name[1:-1] if name.startswith('"') else name
