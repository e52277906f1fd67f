"""Keys of calls."""

import functools
import re
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Protocol, TypeVar
from uuid import UUID

import pytest
from fastapi import Depends, Request
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from pitstop.cache.key import KeyMaker
from pitstop.errors import SettingsError, UnkeyableArgument


def maker(function: Callable[..., Any], **options: Any) -> KeyMaker:
    return KeyMaker(function, **{"namespace": "shop", **options})


def digest(function: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    return maker(function).digest(args, kwargs)


def plain(a: int, b: str = "x", *, c: float = 1.0) -> int: ...


def various(a: object, /, *rest: object, named: object = None, **more: object) -> int: ...


def anything(value: Any) -> int: ...


@given(st.integers(), st.text(), st.floats(allow_nan=False))
def test_the_form_of_a_call_does_not_count(a: int, b: str, c: float) -> None:
    """Positional, by keyword, in any order, with a default written out: the same call has the same key."""
    keys = {
        digest(plain, a, b, c=c),
        digest(plain, a, b=b, c=c),
        digest(plain, c=c, b=b, a=a),
        digest(plain, **{"b": b, "c": c, "a": a}),
    }
    assert len(keys) == 1
    assert digest(plain, a) == digest(plain, a, "x") == digest(plain, a=a, c=1.0)


def test_star_arguments_are_kept_apart() -> None:
    """What goes to ``*args`` and ``**kwargs`` counts, by place and by name, and never runs together."""
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
        ((1,), {}),
        ((1, 2), {}),
        ((1, 2, 3), {}),
        ((1, (2, 3)), {}),
        ((1,), {"named": 2}),
        ((1,), {"x": 2}),
        ((1,), {"y": 2}),
        ((1,), {"x": 2, "y": 3}),
    ]
    keys = maker(various)
    assert len({keys.digest(args, kwargs) for args, kwargs in calls}) == len(calls)
    assert keys.digest((1,), {"x": 2, "y": 3}) == keys.digest((1,), {"y": 3, "x": 2})


def test_values_that_other_caches_mix_up_differ() -> None:
    """None, "", 1, "1", True, 1.0 and strings with separators all have keys of their own."""
    values = [None, "", b"", 0, 1, "1", True, False, 1.0, 0.0, -0.0, (), [], {}, "None", ("1",), ["1"]]
    assert len({digest(anything, value) for value in values}) == len(values)

    def two(a: str, b: str) -> int: ...

    assert digest(two, "x:b:y", "z") != digest(two, "x", "y:b:z")


def test_a_wrong_call_fails_as_python_says() -> None:
    """A call that does not fit the signature raises the TypeError of the function itself."""
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
        ((), {}),
        ((1, "x", 3), {}),
        ((1,), {"a": 1}),
        ((1,), {"d": 1}),
    ]
    for args, kwargs in calls:
        with pytest.raises(TypeError, match=r"argument"):
            maker(plain).digest(args, kwargs)


def test_other_functions_namespaces_and_versions_have_other_keys() -> None:
    """The namespace, the function's name, its signature and a version given by hand all count."""

    def one(a: int) -> int: ...

    def other(a: int) -> int: ...

    def renamed(b: int) -> int: ...

    def retyped(a: int) -> str: ...

    renamed.__qualname__ = retyped.__qualname__ = one.__qualname__
    keys = [digest(function, 1) for function in (one, other, renamed, retyped)]
    keys += [maker(one, namespace="b").digest((1,), {}), maker(one, version=2).digest((1,), {})]
    assert len(set(keys)) == len(keys)


def test_a_new_field_of_what_is_returned_gives_new_keys() -> None:
    """After a deployment that adds a field to the returned model old values are not met any more."""

    def made(source: str) -> str:
        space: dict[str, Any] = {"__name__": "shop"}
        exec(source + "\ndef f(a: int) -> list[Out]: ...", space)
        return digest(space["f"], 1)

    head = "from dataclasses import dataclass\n@dataclass\nclass Out:\n    x: int\n"
    assert made(head) == made(head)
    assert made(head) != made(head + "    y: int = 0\n")


def test_keys_are_the_same_in_each_process() -> None:
    """Another process with another hash seed makes the same keys, sets and metadata included."""
    script = (
        "from typing import Annotated, Any\n"
        "from pitstop.cache.key import KeyMaker\n"
        "def f(a: Annotated[Any, object()], b=object) -> dict[str, int] | None: ...\n"
        "m = KeyMaker(f, namespace='n', ignore=['b'])\n"
        "print(m.digest(({'p', 'q', 'r', 's'},), {}))\n"
    )
    seen = set()
    for seed in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", script],
            check=True,
            capture_output=True,
            text=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        )
        seen.add(run.stdout)
    assert len(seen) == 1


class Opaque:
    """Without ``__repr__`` and without ``__cache_key__``."""

    def __init__(self, number: int) -> None:
        self.number = number


def test_a_thousand_users_without_repr_are_refused() -> None:
    """No two of 1,000 users share a key made from an address: each is refused, with the cures."""
    keys = maker(anything)
    for number in range(1000):
        with pytest.raises(
            UnkeyableArgument, match=r"'value' of .*anything .*Opaque.*ignore=\[\"value\"\].*__cache_key__"
        ):
            keys.digest((Opaque(number),), {})


T = TypeVar("T")


class Shape(Protocol):
    def area(self) -> float: ...


def test_annotations_tell_at_decoration_what_cannot_be_keyed() -> None:
    """Sessions, requests and classes without a typed value are refused before the first call."""

    def direct(session: Session) -> int: ...
    def optional(session: AsyncSession | None = None) -> int: ...
    def annotated(session: Annotated[Session, Depends(print)]) -> int: ...
    def nested(users: list[Opaque]) -> int: ...
    def written(request: "Request") -> int: ...

    for function in (direct, optional, annotated, nested, written):
        with pytest.raises(UnkeyableArgument, match=r"ignore="):
            maker(function)
    assert maker(direct, ignore=["session"])
    assert maker(direct, key=lambda session: 1)


def test_annotations_that_tell_nothing_are_left_to_the_call() -> None:
    """Any, object, type variables, protocols, abstract classes and unknown names are decided by the value."""

    def given(a: Any, b: object, c: T, d: Shape, e: Iterable[int], f: UUID | None, g: "Unknown", h): ...  # type: ignore # noqa: F821

    assert digest(given, 1, 2, 3, 4, [5], None, 7, 8)


def test_ignored_arguments_do_not_count() -> None:
    """Two sessions give one key; which arguments are ignored is part of the key."""

    def read(number: int, session: Any = None) -> int: ...

    keys = maker(read, ignore=["session"])
    assert keys.digest((1, object()), {}) == keys.digest((1,), {"session": object()}) == keys.digest((1,), {})
    assert keys.digest((1,), {}) != keys.digest((2,), {})
    assert maker(read, ignore=["session"]).digest((1, 2), {}) != maker(read, ignore=["number"]).digest(
        (2, 1), {}
    )


@pytest.mark.parametrize(
    "options", [{"ignore": ["d"]}, {"ignore": "c"}, {"key": "{d}"}, {"key": "{a!r}"}, {"key": ""}]
)
def test_wrong_options_are_errors_at_once(options: dict[str, Any]) -> None:
    """Names that are no parameters, and templates that cannot be read, fail at decoration."""
    with pytest.raises(SettingsError):
        maker(plain, **options)


def test_a_key_template_reads_well_and_never_collides() -> None:
    """``key=`` keeps a readable part, and values that look alike in it still have keys of their own."""
    keys = maker(plain, key="user:{a}:{b}")
    assert keys.digest((7, "x"), {}).startswith("user:7:x.")
    calls = [
        (7, "x"),
        ("7", "x"),
        (True, "x"),
        (7, "x:"),
        ("7:", "x"),
        (None, "x"),
        ((7,), "x"),
        (7, "{}\r\n "),
    ]
    made = [keys.digest(call, {}) for call in calls]
    assert len(set(made)) == len(made)
    assert not any(set(text) & set("{} \r\n") for text in made)
    assert keys.digest((7,), {"c": 2.0}) == keys.digest((7,), {"c": 3.0})


def test_a_key_function_takes_the_call() -> None:
    """A function as ``key=`` decides alone; what it returns has to be keyable."""
    keys = maker(plain, key=lambda a, b="x", **_: (a % 10, b))
    assert keys.digest((7,), {}) == keys.digest((17, "x"), {"c": 5.0}) != keys.digest((8,), {})
    with pytest.raises(UnkeyableArgument, match="key="):
        maker(plain, key=lambda a: Opaque(a)).digest((7,), {})


class Service:
    def __init__(self, tenant: object) -> None:
        self.tenant = tenant

    def read(self, number: int) -> int: ...

    @classmethod
    def of_class(cls, number: int) -> int: ...

    @staticmethod
    def of_none(number: int) -> int: ...


class Special(Service):
    pass


@dataclass
class Settled:
    tenant: int

    def read(self, number: int) -> int: ...


def test_methods_are_keyed_by_class_and_attributes() -> None:
    """``self`` counts by its class and attributes, so that two tenants never meet."""
    keys = maker(Service.read)
    assert keys.digest((Service(1), 7), {}) == keys.digest((Service(1),), {"number": 7})
    made = [keys.digest((of, 7), {}) for of in (Service(1), Service(2), Service("1"), Special(1))]
    assert len(set(made)) == len(made)
    of_dataclass = maker(Settled.read)
    assert of_dataclass.digest((Settled(1), 7), {}) != of_dataclass.digest((Settled(2), 7), {})


def test_a_method_of_an_object_that_holds_a_session_is_refused() -> None:
    """An attribute of ``self`` that cannot be keyed is refused at the call, with the cures."""
    with pytest.raises(UnkeyableArgument, match=r"ignore=\[\"self\"\]"):
        maker(Service.read).digest((Service(object()), 7), {})
    assert maker(Service.read, ignore=["self"]).digest((Service(object()), 7), {})


def test_a_method_of_an_object_that_hides_its_state_is_refused() -> None:
    """An object that keeps its content in C shows no attributes, and is not taken for an empty one."""

    class Shelf(deque[int]):
        def read(self) -> int: ...

    class Slotted:
        __slots__ = ("__weakref__", "tenant")

        def __init__(self, tenant: int) -> None:
            self.tenant = tenant

        def read(self) -> int: ...

    for value in (Shelf([1]), (n for n in [1]), threading.Lock(), re.compile("a"), print):
        with pytest.raises(UnkeyableArgument):
            maker(Shelf.read).digest((value,), {})
    of_slots = maker(Slotted.read)
    assert of_slots.digest((Slotted(1),), {}) == of_slots.digest((Slotted(1),), {})
    assert of_slots.digest((Slotted(1),), {}) != of_slots.digest((Slotted(2),), {})


def test_class_methods_are_keyed_by_class() -> None:
    """``cls`` counts by its name; the argument of a static method is an argument like any other."""
    keys = maker(Service.of_class.__func__)  # type: ignore[attr-defined]
    assert keys.digest((Service, 1), {}) != keys.digest((Special, 1), {})
    assert digest(Service.of_none, 1) != digest(Service.of_none, True)


def test_functions_of_one_factory_differ_by_what_they_enclose() -> None:
    """Two closures of one name over different plain values do not share keys, nor do two lambdas."""

    def of(tenant: str) -> Callable[[int], str]:
        def read(number: int) -> str:
            return tenant * number

        return read

    assert digest(of("a"), 1) == digest(of("a"), 1) != digest(of("b"), 1)
    one, other = (lambda x: x + 1), (lambda x: x + 2)
    assert digest(one, 1) != digest(other, 1)


def test_what_hides_arguments_is_refused() -> None:
    """Partials and bound methods would leave arguments out of the key."""
    hiding: list[Any] = [functools.partial(plain, 1), Service(1).read, print, Service]
    for function in hiding:
        with pytest.raises(SettingsError):
            maker(function)


def test_a_wrapped_function_keeps_its_own_signature() -> None:
    """A function under another decorator with ``functools.wraps`` is keyed by its own parameters."""

    @functools.wraps(plain)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return plain(*args, **kwargs)

    assert digest(wrapper, 1) == digest(plain, a=1)
