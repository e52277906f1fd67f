"""Tags filled from arguments."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum, StrEnum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitstop.cache.key import KeyMaker, TagTemplate
from pitstop.cache.template import name_part
from pitstop.errors import SettingsError, UnkeyableArgument


@dataclass
class User:
    id: int
    roles: list[str]


def function(
    order_id: Any = None, user: Any = None, *rest: Any, currency: str = "KRW", **more: Any
) -> int: ...


keys = KeyMaker(function, namespace="shop")


def tags(templates: Sequence[TagTemplate], *args: Any, **kwargs: Any) -> tuple[str, ...]:
    return keys.tags(templates, args, kwargs)


def test_tags_take_arguments_attributes_items_and_defaults() -> None:
    """Fields reach parameters, defaults, attributes, items, ``*args`` and ``**kwargs``."""
    user = User(3, ["admin"])
    made = tags(
        [
            "order:{order_id}",
            "user:{user.id}",
            "role:{user.roles[0]}",
            "all",
            "in:{currency}",
            "r:{rest[0]}:{more[x]}",
        ],
        7,
        user,
        "a",
        x=9,
    )
    assert made == ("order:7", "user:3", "role:admin", "all", "in:KRW", "r:a:9")


class Kind(Enum):
    NEW = "new"


class Word(StrEnum):
    OLD = "old"


class Text(str):
    def __str__(self) -> str:
        return "another"


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (7, "7"),
        (-1, "-1"),
        ("서울", "서울"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (date(2026, 1, 2), "2026-01-02"),
        (Kind.NEW, "new"),
        (Word.OLD, "old"),
        (Text("a"), "a"),
        ("a:b", "a%3Ab"),
        ("{x}%", "%7Bx%7D%25"),
        ("\ud800", "%ED%A0%80"),
    ],
)
def test_values_become_names(value: object, name: str) -> None:
    """In a key what could make another name is percent-encoded; a tag is what an f-string makes of it."""
    assert name_part(value) == name
    assert tags(["order:{order_id}"], value) == (f"order:{value}",)


@pytest.mark.parametrize("value", [None, True, 1.5, b"a", [1], datetime(2026, 1, 1), object()])
def test_other_values_make_no_name(value: object) -> None:
    """None, bool, float and everything else is refused, naming the template, the field and the type."""
    with pytest.raises(UnkeyableArgument, match=rf"'order:{{order_id}}'.*{type(value).__name__}"):
        tags(["order:{order_id}"], value)


@given(st.text())
def test_no_value_makes_the_name_of_another_family(text: str) -> None:
    """Whatever a value holds, the tag stays in the family that its template begins with."""
    assert tags(["x:{order_id}"], text)[0].partition(":")[0] == "x"


def test_a_missing_attribute_is_named() -> None:
    """A field that the value does not have is an error that names it."""
    for template in ("user:{user.id}", "user:{user[id]}"):
        with pytest.raises(UnkeyableArgument, match=r"user[.\[]id"):
            tags([template], 1, None)


@pytest.mark.parametrize(
    "templates",
    [
        ["order:{order}"],
        ["order:{}"],
        ["order:{0}"],
        ["order:{order_id:>5}"],
        ["order:{order_id!r}"],
        ["order:{order_id"],
        ["order:{order_id.}"],
        ["order:{order_id + 1}"],
        [""],
        [7],
        "order:{order_id}",
        [f"t{n}" for n in range(9)],
    ],
)
def test_wrong_templates_fail_at_decoration(templates: Any) -> None:
    """A template that names no parameter, cannot be read, or is one too many is a SettingsError at once."""
    with pytest.raises(SettingsError):
        keys.check_templates(templates)


def test_functions_give_tags_too() -> None:
    """A function of the call's arguments returns one tag or several; each tag is there once."""
    assert tags([lambda order_id, *_: f"a:{order_id}"], 7) == ("a:7",)
    assert tags([lambda *_: ["b", "c"], "b", "d"], 7) == ("b", "c", "d")
    assert tags([lambda *_: []], 7) == ()
    assert tags([], 7) == ()


@pytest.mark.parametrize("made", [None, [""], "", [7], [None], [f"t{n}" for n in range(9)]])
def test_a_function_that_returns_no_tags_is_named(made: Any) -> None:
    """What is no tag, and more than eight of them, is a SettingsError at the call."""
    with pytest.raises(SettingsError):
        tags([lambda *_: made], 7)


def test_braces_can_be_written_out() -> None:
    """Doubled braces are braces, as in ``str.format``."""
    assert tags(["a{{b}}:{order_id}"], 1) == ("a{b}:1",)
