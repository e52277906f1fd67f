"""An independent count: statements as the driver's cursor sees them, whoever asked for them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event


@contextmanager
def counted(engine: Engine) -> Iterator[list[str]]:
    """Collect the text of every cursor execute on ``engine``."""
    texts: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        texts.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield texts
    finally:
        event.remove(engine, "before_cursor_execute", note)
