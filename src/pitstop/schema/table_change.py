"""Changes of a table that rewrite nothing and hold no writer up: what each is, and its SQL."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from pitstop.errors import ChangeRefused
from pitstop.schema.name import NAME, Name, index_name, quoted, unquoted

__all__ = [
    "CreateStatistics",
    "DropStatistics",
    "SetOptions",
    "SetStatistics",
    "TableChange",
    "ValidateConstraint",
    "parse_table_change",
]

_OPTION = re.compile(r"(?:toast\.)?autovacuum_\w+|fillfactor|parallel_workers|toast_tuple_target")
_TABLE = rf"(?:(?P<schema>{NAME})\s*\.\s*)?(?P<name>{NAME})"
_OTHER = rf"(?:(?P<other_schema>{NAME})\s*\.\s*)?(?P<other_name>{NAME})"
_ALTER = rf"ALTER\s+TABLE\s+{_TABLE}\s+"
_LIST = r"\(([^()]*)\)"
_FORMS = {
    "options": rf"{_ALTER}(?P<actions>(?:SET|RESET)\s*{_LIST}(?:\s*,\s*(?:SET|RESET)\s*{_LIST})?)",
    "statistics": rf"{_ALTER}ALTER\s+(?:COLUMN\s+)?(?P<column>{NAME})\s+SET\s+STATISTICS\s+"
    r"(?P<target>-?\d+|DEFAULT)",
    "validate": rf"{_ALTER}VALIDATE\s+CONSTRAINT\s+(?P<constraint>{NAME})",
    "create": rf"CREATE\s+STATISTICS\s+(?:IF\s+NOT\s+EXISTS\s+)?(?:(?!ON\s){_OTHER}\s*)?"
    rf"(?P<kinds>\([\w\s,]+\)\s*)?ON\s+(?P<columns>.+?)\s+FROM\s+{_TABLE}",
    "drop": rf"DROP\s+STATISTICS\s+(?:IF\s+EXISTS\s+)?{_TABLE}",
}
_PATTERNS = {kind: re.compile(form, re.IGNORECASE | re.DOTALL) for kind, form in _FORMS.items()}
_ACTION = re.compile(rf"(SET|RESET)\s*{_LIST}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SetOptions:
    """How a table is stored and vacuumed: ``fillfactor``, ``autovacuum_...``, ``parallel_workers``.

    Attributes:
        table: it is about.
        values: options and their values, as written.
        reset: options that go back to what the server has.
    """

    table: Name
    values: tuple[tuple[str, str], ...] = ()
    reset: tuple[str, ...] = ()
    concurrent = False

    @property
    def sql(self) -> str:
        """The statement."""
        given = ", ".join(f"{name} = {value}" for name, value in self.values)
        parts = [f"SET ({given})" if given else "", f"RESET ({', '.join(self.reset)})" if self.reset else ""]
        return f"ALTER TABLE {self.table} {', '.join(filter(None, parts))}"


@dataclass(frozen=True, slots=True)
class SetStatistics:
    """How many values of a column the planner knows; ``target`` -1 is as the server has it."""

    table: Name
    column: str
    target: int
    concurrent = False

    @property
    def sql(self) -> str:
        """The statement."""
        return f"ALTER TABLE {self.table} ALTER COLUMN {quoted(self.column)} SET STATISTICS {self.target}"


@dataclass(frozen=True, slots=True)
class ValidateConstraint:
    """A constraint that was made NOT VALID, held against the rows there are; it reads the whole table."""

    table: Name
    constraint: str
    concurrent = False

    @property
    def sql(self) -> str:
        """The statement."""
        return f"ALTER TABLE {self.table} VALIDATE CONSTRAINT {quoted(self.constraint)}"


@dataclass(frozen=True, slots=True)
class CreateStatistics:
    """Statistics of columns that depend on each other, or of an expression; ``ANALYZE`` gathers them.

    Attributes:
        table: they are of.
        columns: as written.
        kinds: in parentheses, empty for all.
        name: of them; None until a plan gives one.
    """

    table: Name
    columns: str
    kinds: str = ""
    name: Name | None = None
    concurrent = False

    @property
    def named(self) -> Name:
        """Their name, made up where none was given."""
        made = index_name(self.table.name, f"({self.columns})").replace("ix_", "st_", 1)
        return self.name or Name(made, self.table.schema)

    @property
    def sql(self) -> str:
        """The statement."""
        kinds = f"{self.kinds} " if self.kinds else ""
        return f"CREATE STATISTICS IF NOT EXISTS {self.named} {kinds}ON {self.columns} FROM {self.table}"


@dataclass(frozen=True, slots=True)
class DropStatistics:
    """Such statistics, to be dropped."""

    name: Name
    concurrent = False

    @property
    def sql(self) -> str:
        """The statement."""
        return f"DROP STATISTICS IF EXISTS {self.name}"


TableChange: TypeAlias = SetOptions | SetStatistics | ValidateConstraint | CreateStatistics | DropStatistics


def parse_table_change(statement: str) -> TableChange | None:
    """Read one statement; None if it is none of these.

    Args:
        statement: without remarks and semicolon.

    Raises:
        ChangeRefused: it sets an option that is not among those that are known to hold no writer up.
    """
    for kind, pattern in _PATTERNS.items():
        match = pattern.fullmatch(statement)
        if match is not None:
            return _made(kind, match)
    return None


def _made(kind: str, match: "re.Match[str]") -> TableChange:
    found = match.groupdict()
    name = Name(unquoted(found["name"]), unquoted(found["schema"]) if found["schema"] else None)
    match kind:
        case "options":
            return _options(name, found["actions"])
        case "statistics":
            target = -1 if found["target"].upper() == "DEFAULT" else int(found["target"])
            return SetStatistics(name, unquoted(found["column"]), target)
        case "validate":
            return ValidateConstraint(name, unquoted(found["constraint"]))
        case "create":
            other = found["other_schema"]
            given = found["other_name"]
            called = Name(unquoted(given), unquoted(other) if other else None) if given else None
            columns = " ".join(found["columns"].split())
            return CreateStatistics(name, columns, (found["kinds"] or "").strip(), called)
        case _:
            return DropStatistics(name)


def _options(table: Name, actions: str) -> SetOptions:
    values: dict[str, str] = {}
    reset: list[str] = []
    for verb, given in _ACTION.findall(actions):
        for option, value in _pairs(given):
            if verb.upper() == "SET":
                values[option] = value
            else:
                reset.append(option)
    return SetOptions(table, tuple(values.items()), tuple(reset))


def _pairs(given: str) -> Iterator[tuple[str, str]]:
    for each in given.split(","):
        name, _, value = (part.strip() for part in each.partition("="))
        if not _OPTION.fullmatch(name.lower()):
            raise ChangeRefused(
                f"cannot set {name!r} on a live database: only fillfactor, autovacuum_..., parallel_workers "
                "and toast_tuple_target are known to hold no writer up"
            )
        yield name.lower(), value
