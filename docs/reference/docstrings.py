"""Docstrings as the reference shows them: Markdown instead of reStructuredText, one entry a name."""

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:class|func|meth|mod|attr|exc):`~?([^`]+)`")
_LITERAL = re.compile(r"^[ \t]*::[ \t]*\n\n?|(?<=\S)::$", re.MULTILINE)
_JOINT = re.compile(
    r"^(?P<indent>[ ]+)(?P<names>\w+(?:, \w+)+): (?P<text>.*\n?(?:(?P=indent)[ ]+.*\n?)*)", re.MULTILINE
)


def _code(match: "re.Match[str]") -> str:
    return f"`{match[1]}`"


def _single(match: "re.Match[str]") -> str:
    text = match["text"] if match["text"].endswith("\n") else f"{match['text']}\n"
    return "".join(f"{match['indent']}{name}: {text}" for name in match["names"].split(", "))


class Markdown(griffe.Extension):
    """Rewrites the text of each docstring before it is parsed."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Called by griffe for everything that it has loaded."""
        if obj.docstring is not None:
            text = _ROLE.sub(_code, obj.docstring.value)
            obj.docstring.value = _JOINT.sub(_single, _LITERAL.sub("\n", text)).rstrip()
