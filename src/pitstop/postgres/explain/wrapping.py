"""Lines of a plan that a terminal, psql or a mail program broke, made whole again."""

import re
from collections.abc import Sequence

__all__ = ["join_broken", "join_wrapped"]

_OPEN = re.compile(
    r"\((?:cost=|actual |never )[^()]*$"
    r"| \((?:c(?:o(?:st?)?)?|a(?:c(?:t(?:u(?:al?)?)?)?)?|n(?:e(?:v(?:er?)?)?)?)?[.…]?$"
)
_FIGURES = re.compile(r"\s*\((?:cost=|actual |never executed)")
_WORD = re.compile(r"(?:rows|width|loops|time)=|\((?:cost|actual|never)|executed\)")


def join_wrapped(lines: Sequence[str]) -> list[str]:
    """Lines as psql's format "wrapped" breaks them: a dot or ellipsis at the end and at the next begin.

    Args:
        lines: with the column that borders leave before them.
    """
    if not next(iter(lines), "").startswith(" "):
        return list(lines)  # without borders there is no mark at the begin
    found: list[str] = []
    for line in lines:
        last = found[-1].rstrip() if found else ""
        if last and line.startswith((".", "…")) and last.endswith(line[0]):
            found[-1] = last[:-1] + line[1:]
        else:
            found.append(line)
    return found


def join_broken(lines: Sequence[str]) -> list[str]:
    """Lines that end within the figures of a node, with what follows them.

    Args:
        lines: of a plan in text form, without anything around them.
    """
    mark = _mark(lines)
    found: list[str] = []
    for line in lines:
        if found and _OPEN.search(found[-1]):
            found[-1] = _joined(found[-1].rstrip().removesuffix(mark), line.lstrip())
        elif found and _FIGURES.match(line):
            found[-1] = f"{found[-1].rstrip(' .…')} {line.lstrip()}"
        else:
            found.append(line)
    return found


def _mark(lines: Sequence[str]) -> str:
    """What psql puts at the end of a broken line without borders: one dot or ellipsis at each."""
    ends = {line.rstrip()[-1:] for line in lines if _OPEN.search(line)}
    return ends.pop() if ends in ({"."}, {"…"}) else ""


def _joined(line: str, more: str) -> str:
    """A break between two words took the space with it; one within a word did not."""
    whole = line.rstrip()
    return f"{whole} {more}" if _WORD.match(more) and whole[-1:].isalnum() else f"{line}{more}"
