"""The program: a statement compiled once for a dialect, its parameters ready to be filled in."""

from collections.abc import Iterable, Mapping
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import BindParameter, Connection, Dialect, Engine, Select

from pitstop.errors import ReadModelError
from pitstop.sql.read_model import cursor

__all__ = ["Program", "Question", "Row", "is_translated"]

Row = Any  # a tuple-like row of the driver's or of SQLAlchemy's


class Program:
    """SQL text for one driver, with the values that are known and the places of those that are not.

    Args:
        compiled: the statement as SQLAlchemy compiled it.
    """

    __slots__ = ("_closed", "_fixed", "_open", "_order", "text")

    def __init__(self, compiled: Any) -> None:
        dialect = compiled.dialect
        self.text: str = compiled.string
        self._order: list[str] | None = compiled.positiontup
        self._fixed: dict[str, Any] = {}
        self._open: dict[str, list[tuple[str, Any]]] = {}
        for name, bind in compiled.binds.items():
            process = bind.type.dialect_impl(dialect).bind_processor(dialect)
            self._open.setdefault(bind.key, []).append((name, process))
            if not bind.required:
                self._fixed[name] = process(bind.value) if process else bind.value
        self._closed = self._ordered(self._fixed)

    def parameters(self, values: Mapping[str, Any]) -> Any:
        """The parameters as the driver takes them: a tuple, or a dictionary."""
        if not values:
            return self._closed
        filled = self._fixed.copy()
        for key, value in values.items():
            for name, process in self._open[key]:
                filled[name] = process(value) if process else value
        return self._ordered(filled)

    def _ordered(self, filled: dict[str, Any]) -> Any:
        return filled if self._order is None else tuple([filled.get(name) for name in self._order])

    @classmethod
    def of(cls, statement: Select[Any], dialect: Dialect) -> "Program | None":
        """Compile a statement; None where its text depends on the values, as with IN of a list."""
        compiled: Any = statement.compile(dialect=dialect)
        late = compiled.post_compile_params or compiled.literal_execute_params or compiled.escaped_bind_names
        if late or any(bind.callable for bind in compiled.binds.values()):
            return None
        return cls(compiled)


class Question:
    """A statement with its programs.

    The first time it is asked, SQLAlchemy compiles it with its own cache, so that a read model made anew in
    each request is compiled once; from the second time on the question keeps the compiled text itself.

    Args:
        statement: what is asked; one row comes back, or none.
        parameters: all in it that have a name.
        name: of the read model, for messages.
    """

    def __init__(self, statement: Select[Any], parameters: Iterable[BindParameter[Any]], name: str) -> None:
        self.statement = statement
        self._name = name
        self._programs: WeakKeyDictionary[Dialect, Program | None] = WeakKeyDictionary()
        self._asked = False
        self._required = set()
        self._known = set()
        for each in parameters:
            self._known.add(each.key)
            if each.required:
                self._required.add(each.key)

    def check(self, values: Mapping[str, Any]) -> None:
        """See that every parameter has a value, and every value a parameter.

        Raises:
            ReadModelError: not so.
        """
        if values.keys() == self._required:
            return
        missing = self._required - values.keys()
        unknown = values.keys() - self._known
        if missing:
            name = min(missing)
            raise ReadModelError(f"parameter {name!r} of {self._name} has no value: give it as {name}=...")
        if unknown:
            known = ", ".join(sorted(self._known)) or "none"
            raise ReadModelError(f"{self._name} has no parameter {min(unknown)!r}: there are {known}")

    def program(self, dialect: Dialect) -> Program | None:
        """The program for a dialect; None at the first time, and where there is none.

        Raises:
            ReadModelError: the dialect is not that of PostgreSQL.
        """
        if dialect in self._programs:
            return self._programs[dialect]
        if dialect.name != "postgresql":
            raise ReadModelError(f"read models need postgresql, this is {dialect.name}")
        if self._asked:
            self._programs[dialect] = Program.of(self.statement, dialect)
        self._asked = True
        return self._programs.get(dialect)

    def ask(self, connection: Connection, values: Mapping[str, Any]) -> Row | None:
        """The one row, on a connection of SQLAlchemy's."""
        self.check(values)
        program = self.program(connection.dialect)
        if program is None or is_translated(connection):
            return self.execute(connection, values)
        if is_unheard(connection):
            return cursor.ask(connection, program.text, program.parameters(values))
        return connection.exec_driver_sql(program.text, program.parameters(values)).first()

    def execute(self, connection: Connection, values: Mapping[str, Any]) -> Row | None:
        """The same, compiled by SQLAlchemy."""
        self.check(values)
        return connection.execute(self.statement, dict(values)).first()


def is_unheard(connection: Connection) -> bool:
    """Whether nobody but Pitstop would hear of a statement in the transaction that has begun."""
    heard = (
        getattr(connection, "_has_events", True)
        or getattr(connection.engine, "_has_events", True)
        or getattr(connection, "_echo", True)
        or len(connection.dialect.dispatch.do_execute) > 1
    )
    return connection.in_transaction() and not heard


def is_translated(target: Connection | Engine) -> bool:
    """Whether names of schemas are put into the text only when it is executed."""
    return bool(target.get_execution_options().get("schema_translate_map"))
