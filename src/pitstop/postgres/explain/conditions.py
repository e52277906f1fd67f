"""Conditions as plans print them, taken apart: which column is compared, how, and with what."""

import re
from dataclasses import dataclass

__all__ = ["Condition", "read_conditions", "split_top"]

_NAME = r'(?:"(?:[^"]|"")+"|[A-Za-z_][\w$]*)'
_COLUMN = re.compile(rf"(?:{_NAME}\.)*(?P<name>{_NAME})")
_TEXT_CAST = re.compile(rf"\((?P<inner>(?:{_NAME}\.)*{_NAME})\)::(?:text|bpchar|character varying)")
_CAST = re.compile(rf"\((?P<inner>(?:{_NAME}\.)*{_NAME})\)::(?P<type>[a-z][\w ]*(?:\[\])?)")
_CALL = re.compile(rf"(?:{_NAME}\.)?(?P<name>[a-z_]\w*|EXTRACT)\(.*\)", re.DOTALL)
_PATH = re.compile(
    rf"(?:{_NAME}\.)*(?P<name>{_NAME})(?: (?:->>?|#>>?) '(?:[^']|'')*'(?:::[a-z]+(?:\[\])?)?)+"
)
_QUALIFIED = re.compile(rf"\b{_NAME}\.(?={_NAME})")
_OPERATOR = re.compile(r" (=|<>|>=|<=|<|>|~~\*|~~|!~~|~\*|~|@>|<@|@@|&&|\?|IS) ")
_RANGES = ("<", ">", "<=", ">=")


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of several that must all hold.

    Attributes:
        column: the column, or the expression that stands for it, as an index would name it.
        operator: ``"="``, ``"<"``, ``"~~"`` (LIKE), ``"@>"``, ``"IS"`` ...; ``"= ANY"`` with a list.
        value: what it is compared with, as printed.
        wrapped: ``"cast"`` or ``"function"`` where that keeps an index on the bare column from being used.
        inner: names of the columns in a wrapped expression.
        table: the name that stands before the column, where one does.
    """

    column: str
    operator: str
    value: str
    wrapped: str = ""
    inner: str = ""
    table: str = ""

    @property
    def is_equality(self) -> bool:
        """Whether an index may have the column at its front."""
        return self.operator in ("=", "= ANY") or (self.operator == "IS" and self.value == "NULL")

    @property
    def is_range(self) -> bool:
        """Whether an index may have the column after those with equality."""
        return self.operator in _RANGES


def read_conditions(text: str) -> list[Condition]:
    """The conditions joined by AND; those that no index could serve are left out.

    Args:
        text: a Filter, Index Cond or Join Filter of a plan.
    """
    found = (_read(part) for part in split_top(text, "AND"))
    return [condition for condition in found if condition is not None]


def split_top(text: str, word: str) -> list[str]:
    """The parts of a condition at its top level.

    Args:
        text: as printed, in parentheses or not.
        word: ``"AND"`` or ``"OR"``.
    """
    text = _strip(text)
    parts, begun = [], 0
    for start, end in _top_level(text):
        for match in re.finditer(rf" {word} ", text[start:end]):
            parts.append(text[begun : start + match.start()])
            begun = start + match.end()
    return [_strip(part) for part in (*parts, text[begun:])]


def _top_level(text: str) -> list[tuple[int, int]]:
    """The stretches of a text outside parentheses and quotes."""
    found, depth, quote, begun = [], 0, "", 0
    for index, char in enumerate(text):
        if quote:
            if char == quote:
                quote, begun = "", index + 1
        elif char in "'\"":
            if depth == 0:
                found.append((begun, index))
            quote = char
        elif char in "([":
            if depth == 0:
                found.append((begun, index))
            depth += 1
        elif char in ")]":
            depth -= 1
            begun = index + 1
    return [*found, (begun, len(text))] if depth == 0 and not quote else found


def _strip(text: str) -> str:
    """Without the parentheses around the whole."""
    text = text.strip()
    while text.startswith("(") and text.endswith(")") and _closes(text) == len(text) - 1:
        text = text[1:-1].strip()
    return text


def _closes(text: str) -> int:
    """Where the parenthesis that begins a text is closed."""
    depth, quote = 0, ""
    for index, char in enumerate(text):
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
            if depth == 0:
                return index
    return -1


def _read(part: str) -> Condition | None:
    for start, end in _top_level(part):
        match = _OPERATOR.search(f"{part[start:end]} ")
        if match:
            left, right = part[: start + match.start()], part[start + match.end() :]
            operator = f"{match[1]} ANY" if right.startswith("ANY ") else match[1]
            return _compare(left.strip(), operator, right.strip())
    bare = part.removeprefix("NOT ")
    column = _COLUMN.fullmatch(bare)
    return Condition(column["name"], "=", str(bare == part).lower()) if column else None


def _compare(left: str, operator: str, right: str) -> Condition | None:
    if "SubPlan" in right or "SubPlan" in left:
        return None
    left = _strip(left)
    column = _COLUMN.fullmatch(left)
    if column:
        return Condition(column["name"], operator, right, table=left[: column.start("name")].rstrip("."))
    plain = _TEXT_CAST.fullmatch(left)
    if plain:
        return Condition(_bare(plain["inner"]), operator, right)
    return _wrapped(left, operator, right)


def _wrapped(left: str, operator: str, right: str) -> Condition | None:
    """A column inside a cast, a path into JSON or a function."""
    cast = _CAST.fullmatch(left)
    if cast:
        inner = _bare(cast["inner"])
        return Condition(f"(({inner})::{cast['type']})", operator, right, "cast", inner)
    path = _PATH.fullmatch(left)
    if path:
        return Condition(f"({_bare(left)})", operator, right, "function", path["name"])
    call = _CALL.fullmatch(left)
    if call and _closes(left[left.index("(") :]) == len(left) - left.index("(") - 1:
        bare = _bare(left)
        return Condition(bare, operator, right, "function", _columns(bare))
    return None


def _bare(expression: str) -> str:
    """Without the names of tables, and without casts to text that an index does not need."""
    parts = re.split(r"('(?:[^']|'')*')", expression)
    parts[::2] = [_TEXT_CAST.sub(r"\g<inner>", _QUALIFIED.sub("", part)) for part in parts[::2]]
    return "".join(parts)


def _columns(expression: str) -> str:
    without = re.sub(r"'(?:[^']|'')*'(?:::[a-z ]+)?", "", expression)
    without = re.sub(r"\w+ FROM ", "", without)  # EXTRACT(year FROM ...)
    names = re.findall(rf"(?<![:\w.])({_NAME})(?![\w(])", without)
    return ", ".join(dict.fromkeys(name for name in names if not name.isupper()))
