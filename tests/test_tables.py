"""What a text says of writing."""

from types import SimpleNamespace

import pytest

from pitstop.tables import UNKNOWN_TABLE, tables_written


@pytest.mark.parametrize(
    ("text", "writes"),
    [
        ("select 1", False),
        ("-- told; and more\nselect 1", False),
        ("/* told; and more */ (select 1)", False),
        ("select 1; -- done", False),
        ("select 1; /* done */ ", False),
        ("", False),
        ("-- told;\nupdate x set a = 1", True),
        ("/* /* told */ */ update x set a = 1", True),
        ("select '--'; update x set a = 1", True),
        ("select ';'", True),
        ("explain analyze delete from x", True),
    ],
)
def test_texts(text: str, writes: bool) -> None:
    """A text that may write names a table that nobody knows; comments do not make one of it."""
    context = SimpleNamespace(compiled=None, execution_options={})
    assert tables_written(context, text) == ([UNKNOWN_TABLE] if writes else [])
