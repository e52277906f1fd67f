"""Generated text: the data has lengths, not words; the same row always gets the same words."""

from functools import cache
from importlib.resources import files
from random import Random

__all__ = ["name", "prose", "title"]


CORPUS_CHARS = 1 << 18
LONGEST = 1 << 15
SPREAD = 2654435761  # Knuth's multiplicative hash: neighbouring ids begin far apart


def name(user_id: int) -> str:
    """The display name of a user."""
    if user_id < 0:
        return "Community"
    given, family = _words("given_names"), _words("family_names")
    key = user_id * SPREAD >> 4
    return f"{given[key % len(given)]} {family[key // len(given) % len(family)]} {user_id}"


def title(post_id: int, *, chars: int) -> str:
    """A title of exactly so many characters: one capital, no full stop."""
    words = prose(post_id * 31 + 7, chars=chars).replace("\n", " ").replace(".", ",")
    return words[:1].upper() + words[1:].rstrip(", ").ljust(chars - 1, "?") if chars else ""


def prose(key: int, *, chars: int) -> str:
    """Running text of exactly so many characters (at most 32,768), the same for the same key."""
    starts, corpus = _corpus()
    start = starts[key * SPREAD % len(starts)]
    piece = corpus[start : start + chars]
    stripped = piece.rstrip()
    return stripped + "." * (len(piece) - len(stripped))


@cache
def _words(kind: str) -> list[str]:
    return files("pitstop_services.blog").joinpath("data", f"{kind}.txt").read_text("utf-8").split()


@cache
def _corpus() -> tuple[list[int], str]:
    """Where its words begin, and one long text of which every other text is a piece."""
    words = _words("words")
    random = Random(1516)  # noqa: S311 - repeatable, not secret
    parts: list[str] = []
    starts: list[int] = []
    length = 0
    while length < CORPUS_CHARS + LONGEST:
        if length < CORPUS_CHARS:
            starts.append(length)
        part = words[int(random.random() * len(words))] + _gap(random.random())
        parts.append(part)
        length += len(part)
    return starts, "".join(parts)


def _gap(chance: float) -> str:
    if chance < 0.01:
        return ".\n\n"
    return ". " if chance < 0.09 else ", " if chance < 0.14 else " "
