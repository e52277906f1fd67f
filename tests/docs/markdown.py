"""Markdown pages of the project, taken apart: fences, headings, tables."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"

_FENCE = re.compile(r"^(?P<mark>`{3,}|~{3,})(?P<info>.*)$")
_TITLE = re.compile(r'title="([^"]+)"')
_RULER = re.compile(r"^\|(?:\s*:?-+:?\s*\|)+$")


@dataclass(frozen=True)
class Fence:
    """A fenced block: its language, the title of the file it is to be saved as, its first line and text."""

    language: str
    title: str
    line: int
    text: str


def fences(text: str) -> list[Fence]:
    """The fenced blocks that stand at the margin, in order."""
    found: list[Fence] = []
    opened: re.Match[str] | None = None
    begun, body = 0, list[str]()
    for number, line in enumerate(text.splitlines(), 1):
        if opened is None:
            opened = _FENCE.match(line)
            begun, body = number, []
        elif line.rstrip() == opened["mark"]:
            language, _, rest = opened["info"].partition(" ")
            title = _TITLE.search(rest)
            found.append(Fence(language, title[1] if title else "", begun + 1, "".join(body)))
            opened = None
        else:
            body.append(f"{line}\n")
    assert opened is None, f"a fence opened in line {begun} is never closed"
    return found


def prose(text: str) -> list[str]:
    """The lines outside fences."""
    lines, mark = list[str](), ""
    for line in text.splitlines():
        fence = _FENCE.match(line)
        if fence and not mark:
            mark = fence["mark"]
        elif mark:
            mark = "" if line.rstrip() == mark else mark
        else:
            lines.append(line)
    return lines


def headings(text: str) -> list[tuple[int, str]]:
    """Level and words of each heading."""
    found = (re.match(r"(#+) (.*)", line) for line in prose(text))
    return [(len(each[1]), each[2].strip()) for each in found if each]


def section(text: str, heading: str) -> str:
    """What stands below a heading, up to the next one of its level or above."""
    lines = prose(text)
    levels = [re.match(r"(#+) (.*)", line) for line in lines]
    start = next(index for index, each in enumerate(levels) if each and each[2].strip() == heading)
    first = levels[start]
    assert first is not None
    rest = (index for index, each in enumerate(levels) if index > start and each and each[1] <= first[1])
    return "\n".join(lines[start + 1 : next(rest, len(lines))])


def tables(text: str) -> list[list[list[str]]]:
    """The tables, each as rows of cells; the ruler below the head is left out."""
    found: list[list[list[str]]] = [[]]
    for line in prose(text):
        if line.startswith("|"):
            if not _RULER.match(line):
                found[-1].append([cell.strip() for cell in line.strip("|").split("|")])
        elif found[-1]:
            found.append([])
    return [table for table in found if table]
