"""Keys and tags of a cached function, made from the arguments of a call."""

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from enum import Enum
from hashlib import blake2b
from pathlib import PurePath
from types import CodeType
from typing import Any

from pitstop.cache.annotations import describe, resolved, unkeyable_class
from pitstop.cache.canonical import SCALARS, NotKeyable, canonical, canonical_self
from pitstop.cache.parameters import Parameters
from pitstop.cache.template import Template
from pitstop.errors import SettingsError, UnkeyableArgument

__all__ = ["MAX_TAGS", "KeyMaker", "TagTemplate", "encloses_plainly"]

MAX_TAGS = 8

TagTemplate = str | Callable[..., str | Iterable[str]]
"""``"order:{order_id}"``, or a function of the same arguments that returns one or several tags."""


class KeyMaker:
    """Makes the keys and tags of one function.

    Two calls have the same key exactly when every argument that counts has the same type and value. The key
    also holds the namespace, the function's module and qualified name, its signature, and the fields of what
    it returns, so that a new form of the function never meets the values of the old one.

    Args:
        function: a plain function or method, sync or async.
        namespace: see ``cached(namespace=)``.
        ignore: names of parameters that the value does not depend on (sessions, requests).
        key: instead of all arguments: a template such as ``"user:{user_id}"``, or a function of the same
            arguments that returns anything that can be keyed.
        version: instead of the text of the signature; raise it to leave all old values behind.

    Raises:
        UnkeyableArgument: an annotation tells that an argument cannot be part of a key.
        SettingsError: ``ignore`` or ``key`` name no parameter, or this is no plain function.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        namespace: str,
        ignore: Iterable[str] = (),
        key: str | Callable[..., Any] | None = None,
        version: str | int | None = None,
    ) -> None:
        _require_plain(function)
        self.name = f"{function.__module__}.{function.__qualname__}"
        self.parameters = Parameters(function)
        self._ignored = self._checked_ignore(ignore)
        self._custom = key if callable(key) else None
        self._template = self.template(key) if isinstance(key, str) else None
        self._keyed = [index for index, name in enumerate(self.parameters.names) if name not in self._ignored]
        self._lenient = 0 if self.parameters.in_class else -1
        self._templates: dict[TagTemplate, Template | None] = {}
        self._check_annotations(function)
        text = _signature_text(function) if version is None else f"={version}"
        counting = key if isinstance(key, str) else [self.parameters.names[index] for index in self._keyed]
        identity = canonical((namespace, self.name, text, counting, _enclosed(function)))
        self._base = blake2b(identity, digest_size=16)

    def __repr__(self) -> str:
        return f"<KeyMaker {self.name}>"

    @property
    def identity(self) -> bytes:
        """What its keys have in common; another function has another, if its name or form tells."""
        return self._base.digest()

    def set_apart(self, number: int) -> None:
        """Tell it from others of the same identity."""
        self._base.update(canonical(number))

    @property
    def is_custom(self) -> bool:
        """Whether a function of the user's makes the key."""
        return self._custom is not None

    def digest(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """The key of one call: 32 hexadecimal digits; with ``key="user:{user_id}"`` after a readable part.

        Raises:
            UnkeyableArgument: an argument cannot be part of a key; the message names it and the cures.
            TypeError: the call does not fit the signature.
        """
        hasher = self._base.copy()
        if self._custom is not None:
            hasher.update(self._encoded_by_hand(self._custom(*args, **kwargs)))
            return hasher.hexdigest()
        values = self.parameters.bind(args, kwargs)
        if self._template is not None:
            return self._readable(self._template, values, hasher)
        index = 0
        try:
            for index in self._keyed:
                value = values[index]
                scalar = SCALARS.get(type(value))
                hasher.update(self._encoded(index, value) if scalar is None else scalar(value))
        except NotKeyable as error:
            raise self._refusal(self.parameters.names[index], error) from error
        return hasher.hexdigest()

    def _encoded(self, index: int, value: object) -> bytes:
        return canonical_self(value) if index == self._lenient else canonical(value)

    def _encoded_by_hand(self, value: object) -> bytes:
        if value is None:  # of a function without return, one value would be everybody's
            raise UnkeyableArgument(f"key= of {self.name} returned None; return what the value depends on")
        try:
            return canonical(value)
        except NotKeyable as error:
            raise UnkeyableArgument(f"key= of {self.name} returned {_kind(error)}: {error.why}") from error

    def _readable(self, template: Template, values: Sequence[Any], hasher: "blake2b") -> str:
        shown = []
        for field in template.fields:
            try:
                value = field.value(values)
                hasher.update(canonical_self(value) if isinstance(value, type) else canonical(value))
                shown.append(value)
            except NotKeyable as error:
                raise self._refusal(field.text, error) from error
            except (AttributeError, LookupError, TypeError) as error:
                raise UnkeyableArgument(
                    f"key {template.text!r} of {self.name} cannot be filled: {error}"
                ) from error
        return f"{template.shown(shown)}.{hasher.hexdigest()}"

    def tags(
        self, templates: Sequence[TagTemplate], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[str, ...]:
        """The tags of one call, each once, in the order of the templates.

        Args:
            templates: as given to ``cached(tags=)``; each string is read once and remembered.
            args: positional arguments of the call.
            kwargs: its keyword arguments.

        Raises:
            UnkeyableArgument: a value makes no name (None does not).
            SettingsError: more than 8 tags, or a function returned something else than tags.
        """
        values = self.parameters.bind(args, kwargs)
        known = self._templates
        found: list[str] = []
        for template in templates:
            reader = known[template] if template in known else self._read(template)
            if reader is not None:
                found.append(reader.fill(values))
            elif callable(template):
                found.extend(self._called(template, args, kwargs))
        if len(found) == 1:
            return (found[0],)
        once = tuple(dict.fromkeys(found))
        self._check_count(len(once))
        return once

    def check_templates(self, templates: Sequence[TagTemplate]) -> None:
        """Read tag templates at decoration, so that a wrong one is an error then.

        Raises:
            SettingsError: a single string instead of a list, more than 8, or one that names no parameter.
        """
        if isinstance(templates, str):
            raise SettingsError(f"tags of {self.name} are {templates!r}; write a list: tags=[{templates!r}]")
        self._check_count(len(templates))
        for template in templates:
            self._read(template)

    def template(self, text: str) -> Template:
        """A template over this function's parameters.

        Raises:
            SettingsError: it cannot be read or names no parameter.
        """
        return Template(text, parameters=self.parameters, function=self.name)

    def _read(self, template: TagTemplate) -> Template | None:
        if not isinstance(template, str) and not callable(template):
            raise SettingsError(f"tag {template!r} of {self.name} is neither a template nor a function")
        reader = self.template(template) if isinstance(template, str) else None
        self._templates[template] = reader
        return reader

    def _called(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> list[str]:
        made = function(*args, **kwargs)
        tags = [made] if isinstance(made, str) or not isinstance(made, Iterable) else list(made)
        for tag in tags:
            if not isinstance(tag, str) or not tag:
                raise SettingsError(
                    f"a tag function of {self.name} returned {tag!r}; return non-empty strings"
                )
        return tags

    def _check_count(self, count: int) -> None:
        if count > MAX_TAGS:
            raise SettingsError(
                f"{self.name} has {count} tags; at most {MAX_TAGS}: each is read with every hit"
            )

    def _checked_ignore(self, ignore: Iterable[str]) -> frozenset[str]:
        if isinstance(ignore, str):
            raise SettingsError(f"ignore of {self.name} is {ignore!r}; write a list: ignore=[{ignore!r}]")
        names = frozenset(ignore)
        unknown = sorted(names.difference(self.parameters.names))
        if unknown:
            there = ", ".join(self.parameters.names) or "none"
            raise SettingsError(
                f"ignore of {self.name} names {unknown[0]!r}, which is no parameter; there are: {there}"
            )
        return names

    def _check_annotations(self, function: Callable[..., Any]) -> None:
        if self._custom is not None or self._template is not None:
            return
        hints = resolved(function)
        for index in self._keyed:
            name = self.parameters.names[index]
            kind = unkeyable_class(hints.get(name))
            if kind is not None and index != self._lenient:
                raise self._refusal(name, NotKeyable(kind, "its annotation says so"))

    def _refusal(self, name: str, error: NotKeyable) -> UnkeyableArgument:
        parameter = name.partition(".")[0]
        return UnkeyableArgument(
            f"argument '{name}' of {self.name} cannot be part of a key: "
            f"it holds {_kind(error)} ({error.why}); "
            f'name it in ignore=["{parameter}"] if the value does not depend on it, '
            f"give {error.kind.__name__} a __cache_key__() method, or choose with key="
        )


def _kind(error: NotKeyable) -> str:
    return f"a {error.kind.__module__}.{error.kind.__qualname__}"


def _require_plain(function: Callable[..., Any]) -> None:
    """Partials and bound methods hide arguments that would be missing in the key."""
    if isinstance(function, functools.partial) or inspect.ismethod(function):
        raise SettingsError(f"{function!r} hides arguments from its key; decorate the function itself")
    if isinstance(function, staticmethod | classmethod):
        kind = type(function).__name__
        raise SettingsError(f"{function!r} cannot be cached; write @{kind} above @cache.cached, not below it")
    if not inspect.isfunction(inspect.unwrap(function)):
        raise SettingsError(f"{function!r} cannot be cached; decorate a function or method")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise SettingsError(f"{function!r} gives its values one by one; return a list of them to cache it")


def _signature_text(function: Callable[..., Any]) -> str:
    """Names, kinds and annotations as written, and what is returned, with its fields."""
    parameters = inspect.signature(function).parameters.values()
    given = (f"{p.kind.name} {p.name}: {describe(p.annotation)}" for p in parameters)
    returned = resolved(function).get("return", inspect.Signature.empty)
    return f"({', '.join(given)}) -> {describe(returned, fields=True)}"


def _enclosed(function: Callable[..., Any]) -> tuple[object, ...]:
    """What tells functions of one name apart: plain values that a closure holds, and a lambda's code."""
    inner = inspect.unwrap(function)
    code: CodeType = inner.__code__
    plain = {}
    for name, cell in zip(code.co_freevars, inner.__closure__ or (), strict=True):
        with suppress(ValueError, NotKeyable):  # an empty cell: its variable comes later
            if encloses_plainly(cell.cell_contents):
                plain[name] = canonical(cell.cell_contents)
    return (plain, _code(code) if code.co_name == "<lambda>" else None)


def encloses_plainly(value: object) -> bool:
    """Whether a value in a closure is part of the key: the same in every process, and not to be changed."""
    if type(value) in SCALARS or isinstance(value, Enum | PurePath):
        return True
    return isinstance(value, tuple | frozenset) and all(map(encloses_plainly, value))


def _code(code: CodeType) -> tuple[object, ...]:
    constants = tuple(constant for constant in code.co_consts if type(constant) in SCALARS)
    return (code.co_code, constants, code.co_names)
