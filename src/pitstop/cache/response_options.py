"""Which responses are kept, what they are tagged with, and what browsers and CDNs are told."""

import re
from collections.abc import Callable, Iterable, Sequence
from math import inf
from string import Formatter
from urllib.parse import parse_qsl

from pitstop.cache import arguments
from pitstop.cache.capture import ASGIScope, Rules
from pitstop.cache.notes import current_notes
from pitstop.cache.page import Negotiation
from pitstop.cache.request import with_families
from pitstop.errors import SettingsError

__all__ = ["ResponseOptions", "ResponseTag"]

ResponseTag = str | Callable[[ASGIScope], str | Iterable[str]]
"""``"post:{post_id}"`` over path and query parameters, or a function of the ASGI scope."""

_PERSONAL = (b"authorization", b"cookie", b"proxy-authorization", b"x-api-key", b"x-auth-token")
_ALWAYS_PASSED = (b"range", b"content-length", b"transfer-encoding", b"upgrade")
_INTEGER = re.compile(r"-?(0|[1-9]\d*)")
_LIKE_NUMBER = re.compile(r"[\s+-]*[\d_]+(\.0*)?\s*")
_LIKE_UUID = re.compile(r"(urn:uuid:)?\{?[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}\}?")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class ResponseOptions:
    """How responses are kept and what is told to browsers and CDNs; arguments as of ``Cache.responses``.

    Raises:
        SettingsError: one of them cannot work.
    """

    def __init__(
        self,
        *,
        tags: Sequence[ResponseTag],
        vary: Sequence[str],
        query: Sequence[str] | None,
        paths: Sequence[str],
        public: bool,
        max_age: int,
        s_maxage: int | None,
        stale_while_revalidate: int | None,
        encodings: Sequence[str],
        max_body: int,
        version: str,
    ) -> None:
        for name, value in (("tags", tags), ("vary", vary), ("query", query), ("paths", paths)):
            if isinstance(value, str):
                raise SettingsError(f"{name} is {value!r}; write a list: {name}=[{value!r}]")
        numbers = {"max_age": max_age, "s_maxage": s_maxage, "max_body": max_body}
        for name, number in {**numbers, "stale_while_revalidate": stale_while_revalidate}.items():
            arguments.number(name, number or 0, 0, inf)
        self.vary = tuple(dict.fromkeys(each.lower().encode() for each in vary))
        self.query = None if query is None else frozenset(query)
        self.paths = tuple(map(_pattern, paths))
        self.negotiation = Negotiation(encodings)
        self.public = public or s_maxage is not None
        if self.public and (personal := [each for each in self.vary if each in _PERSONAL]):
            raise SettingsError(
                f"responses that vary by {personal[0].decode()!r} belong to one user and cannot be public"
            )
        self.cache_control = self._control(max_age, s_maxage, stale_while_revalidate).encode()
        self.passed = frozenset(_PERSONAL).difference(self.vary).union(_ALWAYS_PASSED)
        allowed = self.passed.union(self.vary, (b"accept-encoding",))
        self.rules = Rules(vary=allowed, max_body=max_body)
        self.static = tuple(each for each in tags if isinstance(each, str) and not _fields(each))
        self.found = tuple(each for each in tags if each not in self.static)
        self.identity = (version, sorted(self.vary), self.cache_control, self.negotiation.encodings)

    def _control(self, max_age: int, s_maxage: int | None, stale: int | None) -> str:
        parts = ["public" if self.public else "private", f"max-age={max_age}"]
        if s_maxage is not None:
            parts.append(f"s-maxage={s_maxage}")
        parts.append("must-revalidate" if stale is None else f"stale-while-revalidate={stale}")
        return ", ".join(parts)

    def note_tags(self, scope: ASGIScope) -> None:
        """Note, within a load, the tags of its response that only the route made known."""
        notes = current_notes()
        if notes is None or not self.found:
            return
        names: list[str] = []
        try:
            for tag in self.found:
                if callable(tag):
                    found = tag(scope)
                    names += [found] if isinstance(found, str) else found
                elif (filled := _filled(tag, scope)) is not None:
                    names.append(filled)
        except _UnsafeTag as error:
            notes.refuse(str(error))
        notes.depend(with_families(tuple(names)))


class _UnsafeTag(Exception):
    """A parameter that may mean the same as another text: its tag might not be the writer's."""


def _filled(template: str, scope: ASGIScope) -> str | None:
    """The tag of a request; None where its route has no such parameter."""
    values = {}
    for name in _fields(template):
        value = scope.get("path_params", {}).get(name)
        if value is None:
            value = _queried(scope, name)
        if value is None:
            if "path_params" not in scope:
                raise _UnsafeTag("its route is not known")
            return None
        if isinstance(value, str) and not _is_one(value):
            raise _UnsafeTag(f"its parameter {name!r} has several spellings")
        values[name] = value
    return template.format_map(values)


def _is_one(value: str) -> bool:
    """Whether no other text means the same number or UUID."""
    if _LIKE_NUMBER.fullmatch(value):
        return _INTEGER.fullmatch(value) is not None and value != "-0"
    return _LIKE_UUID.fullmatch(value) is None or _UUID.fullmatch(value) is not None


def _queried(scope: ASGIScope, name: str) -> str | None:
    return dict(parse_qsl(scope.get("query_string", b"").decode("latin-1"))).get(name)


def _fields(template: str) -> list[str]:
    try:
        return [name for _, name, _, _ in Formatter().parse(template) if name is not None]
    except ValueError as error:
        raise SettingsError(f"tag {template!r} cannot be read: {error}") from error


def _pattern(path: str) -> "re.Pattern[str]":
    """A path with ``{name}`` for one segment, or ``{name:path}`` for all that follow."""
    if not path.startswith("/"):
        raise SettingsError(f"path {path!r} begins with no slash: no request has it; write '/{path}'")
    parts = re.split(r"\{(\w+)(:path)?\}", path)
    literals = map(re.escape, parts[::3])
    fields = [".*" if rest else "[^/]+" for rest in parts[2::3]]
    return re.compile("".join(each for pair in zip(literals, [*fields, ""], strict=True) for each in pair))
