"""A source file as text and as bytes: encoding, byte-order mark, line ends, and edits to it."""

import codecs
import hashlib
import io
import re
import tokenize
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pitstop.errors import FixRefused

__all__ = ["Edit", "Source", "apply_edits", "read_source"]

DEFAULT_WIDTH = 100


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Bytes ``start`` to ``end`` of the UTF-8 text become ``text``; equal ends make an insertion."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Source:
    """One file as it was read.

    Attributes:
        path: absolute path.
        text: what it says, line ends as they are, without the byte-order mark.
        encoding: the encoding that Python reads it with.
        bom: whether it starts with a byte-order mark.
        digest: SHA-256 of the bytes on disk.
        width: the longest line that the project allows.
    """

    path: Path
    text: str
    encoding: str
    bom: bool
    digest: str
    width: int

    @property
    def newline(self) -> str:
        """The line end that most lines have."""
        windows = self.text.count("\r\n")
        return "\r\n" if windows * 2 > self.text.count("\n") else "\n"

    def encode(self, text: str) -> bytes:
        """The bytes to write for a changed text."""
        return (codecs.BOM_UTF8 if self.bom else b"") + text.encode(self.encoding)


def read_source(path: Path) -> Source:
    """Read a Python file.

    Raises:
        FixRefused: it cannot be read, or is not text in the encoding it declares.
    """
    try:
        data = path.read_bytes()
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        bom = data.startswith(codecs.BOM_UTF8)
        encoding = "utf-8" if encoding == "utf-8-sig" else encoding
        text = (data[3:] if bom else data).decode(encoding)
    except OSError as error:
        raise FixRefused(f"the file cannot be read: {error.strerror or error}") from error
    except (SyntaxError, UnicodeDecodeError, LookupError) as error:
        raise FixRefused(f"the file cannot be decoded: {error}") from error
    return Source(path, text, encoding, bom, hashlib.sha256(data).hexdigest(), _line_width(path))


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """The text with every edit made; edits at one place are made in the order given."""
    data = text.encode()
    pieces: list[bytes] = []
    position = 0
    for edit in sorted(edits, key=lambda each: (each.start, each.end)):
        pieces += (data[position : edit.start], edit.text.encode())
        position = edit.end
    return b"".join([*pieces, data[position:]]).decode()


def _line_width(path: Path) -> int:
    for directory in path.parents:
        try:
            settings = tomllib.loads((directory / "pyproject.toml").read_text("utf-8"))
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
            continue
        tools = settings.get("tool", {})
        widths = (tools.get(tool, {}).get("line-length") for tool in ("ruff", "black"))
        return next((width for width in widths if isinstance(width, int)), DEFAULT_WIDTH)
    return DEFAULT_WIDTH


def indentation(line: str) -> str:
    """The blanks that a line starts with."""
    found = re.match(r"[ \t]*", line)
    return found.group() if found else ""
