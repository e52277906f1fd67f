"""Arguments for many calls of a cached function: read as rows, and made what its annotations say."""

import csv
import inspect
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import PydanticSchemaGenerationError, TypeAdapter, ValidationError

from pitstop.cache.annotations import resolved
from pitstop.cache.function import Cached
from pitstop.errors import SettingsError

__all__ = ["Combinations", "rows_of_csv", "rows_of_json"]

_NAMEABLE = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
Row = Mapping[str, Any] | Sequence[Any]


def rows_of_json(text: str, *, origin: str) -> list[Any]:
    """The calls in an array of JSON: an object names arguments, an array has them in order.

    Raises:
        SettingsError: it is no array of JSON.
    """
    try:
        rows = json.loads(text)
    except ValueError as error:
        raise SettingsError(f"{origin} is no JSON: {error}") from None
    if not isinstance(rows, list):
        raise SettingsError(f"{origin} holds {type(rows).__name__}, not an array: one element for each call")
    return rows


def rows_of_csv(text: str, *, origin: str) -> list[dict[str, str]]:
    """The calls in a CSV whose first line names arguments.

    Raises:
        SettingsError: a line has more or fewer cells than the first.
    """
    reader = csv.DictReader(io.StringIO(text), restkey="", restval=None)
    rows = []
    for row in reader:
        if "" in row or None in row.values():
            names = ", ".join(reader.fieldnames or ())
            raise SettingsError(f"{origin}: line {reader.line_num} does not have the cells {names}")
        rows.append(row)
    return rows


class Combinations:
    """The calls of one function.

    Args:
        function: whose arguments they are; those it ignores are not among them.
        name: of the function, for messages.
        given: names of arguments that come from elsewhere.

    Raises:
        SettingsError: an ignored argument is wanted and not given, or one given is none of its arguments.
    """

    def __init__(self, function: "Cached[..., Any]", *, name: str, given: Iterable[str] = ()) -> None:
        whole = function.unbound
        ignored, given = whole._ignored, set(given)
        parameters = list(whole._keys.parameters.signature.parameters.values())
        if whole is not function:  # of a method: the object is there already
            del parameters[0]
        strange = given.difference(parameter.name for parameter in parameters)
        if strange:
            raise SettingsError(f"{name} has no argument {min(strange)!r}")
        for each in parameters:
            if each.name in ignored - given and each.default is each.empty and each.kind in _NAMEABLE:
                raise SettingsError(
                    f"{name} wants {each.name!r}, which its key ignores: say what makes it, "
                    f"--with {each.name}=module:maker"
                )
        self._name = name
        self._wanted = {
            each.name: each
            for each in parameters
            if each.kind in _NAMEABLE and each.name not in given | ignored
        }
        self._adapters = _adapters(function, self._wanted)

    def of(self, rows: Iterable[Any], *, origin: str) -> Iterator[dict[str, Any]]:
        """The arguments of each call, by name.

        Args:
            rows: a mapping, a list or tuple in the order of the arguments, or one value.
            origin: where they come from, for messages.

        Raises:
            SettingsError: one does not fit the function; says which, and how.
        """
        for number, row in enumerate(rows, 1):
            try:
                yield self._fitted(row)
            except SettingsError as error:
                raise SettingsError(f"{origin}, row {number}: {error}") from None

    def from_columns(self, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterable[Row]:
        """Rows of a query: by name if every column is named as an argument, in order if none is.

        Raises:
            SettingsError: some are and some are not.
        """
        strange = [each for each in columns if each not in self._wanted]
        if not strange:
            return [dict(zip(columns, row, strict=True)) for row in rows]
        if len(strange) < len(columns):
            raise SettingsError(f"{self._name} has no argument {strange[0]!r}: {self._expected()}")
        return rows

    def _fitted(self, row: Any) -> dict[str, Any]:
        if isinstance(row, Mapping):
            named = {name: value for name, value in row.items() if not self._is_left_out(name, value)}
        else:
            values = list(row) if isinstance(row, list | tuple) else [row]
            if len(values) > len(self._wanted):
                raise SettingsError(f"{len(values)} values: {self._expected()}")
            named = dict(zip(self._wanted, values, strict=False))
        for name in named:
            if name not in self._wanted:
                raise SettingsError(f"no argument {name!r}: {self._expected()}")
        for name, parameter in self._wanted.items():
            if name not in named and parameter.default is parameter.empty:
                raise SettingsError(f"no value for {name!r}: {self._expected()}")
        return {name: self._made(name, value) for name, value in named.items()}

    def _is_left_out(self, name: str, value: Any) -> bool:
        """An empty cell of a CSV leaves an argument with a default out."""
        parameter = self._wanted.get(name)
        return value == "" and parameter is not None and parameter.default is not parameter.empty

    def _made(self, name: str, value: Any) -> Any:
        adapter = self._adapters.get(name)
        if adapter is None:
            return value
        try:
            return adapter.validate_python(value)
        except ValidationError as error:
            reason = error.errors(include_url=False)[0]["msg"]
            raise SettingsError(f"{name}={value!r}: {reason[:1].lower()}{reason[1:]}") from None

    def _expected(self) -> str:
        return f"{self._name} takes {', '.join(self._wanted) or 'none'}"


def _adapters(function: "Cached[..., Any]", wanted: Iterable[str]) -> dict[str, "TypeAdapter[Any]"]:
    """What makes a value of text or JSON what an annotation says; nothing for what pydantic does not know."""
    hints: dict[str, Any] = resolved(function.unbound.__wrapped__)
    adapters = {}
    for name in wanted:
        hint = hints.get(name, Any)
        if isinstance(hint, str):
            continue
        try:
            adapters[name] = TypeAdapter(hint)
        except PydanticSchemaGenerationError:
            continue
    return adapters
