"""Frames that tools put around a plan: tables of psql, quotes of DBeaver and pgAdmin, Markdown, e-mail."""

import html
import re

from pitstop.postgres.explain.records import unrecord
from pitstop.postgres.explain.wrapping import join_wrapped

__all__ = ["split_tables", "unframe"]

_RULER = re.compile(r"\s*[-+|=─-╿]{3,}[-+|=─-╿\s]*|\s*[-+|─-╿]*\[ \w+ \d+ \][-+|─-╿\s]*|\* Record \d+\s*")
_COUNT = re.compile(r"\s*\(\d+[^()]*\)")
_TIMING = re.compile(r"(?:Time|시간|Zeit|Temps): [\d.,]+ .*")
_NUMBERED = re.compile(r"\d+(?:\t| ?[|│])")
_HEAD = re.compile(r"[\s\"'|│]*QUERY PLAN[\s\"'|│;]*", re.IGNORECASE)


def split_tables(text: str) -> list[str]:
    """The tables of one text, each from its head on; a text without a head is one."""
    lines = text.replace("\r\n", "\n").split("\n")
    heads = [index for index, line in enumerate(lines) if _HEAD.fullmatch(line)]
    if len(heads) < 2:
        return [text]
    return ["\n".join(lines[head:end]) for head, end in zip(heads, [*heads[1:], len(lines)], strict=True)]


def unframe(text: str) -> str:
    """The plan with the indentation it has, without header, rulers, borders, quotes and row counts.

    Args:
        text: what was copied.
    """
    text = _plain(text)
    lines = [line for line in text.split("\n") if not line.startswith("```")]
    lines = _strip_marks(_cut_table(lines))
    framed = _strip_borders([line for line in lines if not _is_frame(line)])
    framed = join_wrapped(unrecord(framed))
    framed = _strip_continuation(framed)
    return _strip_quotes("\n".join(framed).strip("\n"))


def _plain(text: str) -> str:
    """With the signs that PostgreSQL prints, whatever an editor, a page or a mail made of them."""
    if "-&gt;" in text:
        text = html.unescape(text)
    for odd, sign in (("→", "->"), ("\r\n", "\n"), ("\r", "\n"), ("\u00a0", " "), ("\ufeff", "")):
        text = text.replace(odd, sign)
    return text


def _cut_table(lines: list[str]) -> list[str]:
    """What stands between the head of a table and its count of rows, where there are such."""
    head = next((index for index, line in enumerate(lines) if _HEAD.fullmatch(line)), None)
    begun = lines if head is None else lines[head + 1 :]
    count = next((index for index, line in enumerate(begun) if _COUNT.fullmatch(line)), len(begun))
    return begun if head is None else begun[:count]


def _is_frame(line: str) -> bool:
    return bool(
        _RULER.fullmatch(line) or _COUNT.fullmatch(line) or _TIMING.fullmatch(line) or _HEAD.fullmatch(line)
    )


def _strip_marks(lines: list[str]) -> list[str]:
    """Without what marks every line: ``>`` of e-mail, ``--`` of a comment in SQL, its number in a grid."""
    told = [line for line in lines if line.strip()]
    if len(told) > 1 and all(_NUMBERED.match(line) for line in told):
        return [_NUMBERED.sub("", line, count=1) for line in lines]
    for mark in (">", "--"):
        if told and all(line.startswith(mark) and not _RULER.fullmatch(line) for line in told):
            return [line.removeprefix(mark).removeprefix(" ") for line in lines]
    return lines


def _strip_borders(lines: list[str]) -> list[str]:
    told = [line for line in lines if line.strip()]
    if not told:
        return lines
    for border in "|│":
        if all(line.lstrip().startswith(border) for line in told):
            lines = [line.lstrip()[1:] for line in lines]
        if all(line.rstrip().endswith(border) for line in told):
            lines = [line.rstrip()[:-1].rstrip() for line in lines]
    return lines


def _strip_continuation(lines: list[str]) -> list[str]:
    """Without the ``+`` that psql puts at the end of each line but the last of a long value."""
    if sum(line.rstrip().endswith(("+", "↵")) for line in lines) * 2 < len(lines) - 1:
        return lines
    return [line.rstrip().removesuffix("+").removesuffix("↵").rstrip() for line in lines]


def _strip_quotes(text: str) -> str:
    """Without quotes around all lines or the whole; CSV has them only around lines that need them."""
    lines = [line for line in text.split("\n") if line.strip()]
    for quote in "\"'":
        if lines and all(_is_quoted(line.strip().rstrip(",;"), quote) for line in lines):
            return "\n".join(_unquote(line.strip().rstrip(",;"), quote) for line in lines)
        if _is_quoted(text.strip(), quote):
            return _unquote(text.strip(), quote)
    if text.lstrip().startswith(("{", "[")):
        return text
    return "\n".join(_unquote(line, '"') if _is_quoted(line, '"') else line for line in text.split("\n"))


def _is_quoted(text: str, quote: str) -> bool:
    return len(text) > 1 and text.startswith(quote) and text.endswith(quote)


def _unquote(text: str, quote: str) -> str:
    return text[1:-1].replace(quote * 2, quote)
