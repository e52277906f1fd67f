"""Functions of one name: what they enclose tells them apart."""

from collections.abc import Callable
from typing import Any

import pytest

from pitstop.cache import Cache
from pitstop.errors import SettingsError


class Repository:
    def __init__(self, tenant: str) -> None:
        self.tenant = tenant


def factory(cache: Cache, enclosed: Any) -> Callable[[int], list[Any]]:
    @cache.cached(ttl=60)
    def named(number: int) -> list[Any]:
        return [getattr(enclosed, "tenant", enclosed), number]

    return named


async def test_a_factory_makes_functions_with_values_of_their_own(
    cache: Cache, caplog: pytest.LogCaptureFixture
) -> None:
    """Two functions of one name that enclose different objects do not share values, and the log says so."""
    ada, bob = factory(cache, Repository("ada")), factory(cache, Repository("bob"))
    assert (ada(1), bob(1)) == (["ada", 1], ["bob", 1])
    assert (ada(1), bob(1)) == (["ada", 1], ["bob", 1])
    assert "encloses other objects" in caplog.text


async def test_the_same_objects_are_the_same_function(cache: Cache) -> None:
    """A function that is made again over the same objects finds what the first one kept."""
    repository = Repository("ada")
    first, second = factory(cache, repository), factory(cache, repository)
    assert first(1) == second(1) == ["ada", 1]
    assert cache.stats().namespaces["default"].loads == 1


@pytest.mark.parametrize(("one", "other"), [((1, 2), (1, 3)), (frozenset("a"), frozenset("b")), (1, True)])
async def test_plain_values_are_part_of_the_key(cache: Cache, one: object, other: object) -> None:
    """What every process encloses alike is told apart by itself, tuples and sets of it too."""
    assert [factory(cache, each)(1)[0] for each in (one, other)] == [one, other]
    assert factory(cache, one).key(1) != factory(cache, other).key(1)  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", [staticmethod, classmethod])
def test_a_descriptor_is_refused(kind: Any) -> None:
    """``cached`` around a staticmethod or classmethod is an error that says what to write."""
    with pytest.raises(SettingsError, match=f"write @{kind.__name__} above"):
        Cache().cached()(kind(lambda number: number))


async def test_an_ignored_name_counts_among_keywords(cache: Cache) -> None:
    """A positional-only argument that is ignored may have the name of one in ``**kwargs``, which counts."""

    @cache.cached(ignore=["session"])
    def given(session: object, /, **options: int) -> dict[str, int]:
        return dict(options)

    for session in (1, 2, 1):
        assert [given(session, session=each) for each in (5, 6)] == [{"session": 5}, {"session": 6}]


@pytest.mark.parametrize(
    "options", [{"negative_ttl": -1}, {"early": -1}, {"early": "x"}, {"compression": 99}]
)
def test_an_option_that_cannot_work_is_refused(options: dict[str, Any]) -> None:
    """It is an error where the function is decorated, not in a call."""
    with pytest.raises(SettingsError):
        Cache().cached(**options)(lambda: None)


async def test_none_is_remembered_for_a_duration(cache: Cache) -> None:
    """``negative_ttl`` takes what ``ttl`` takes."""
    calls = []

    @cache.cached(negative_ttl="5m")
    def nothing() -> None:
        calls.append(1)

    nothing()
    nothing()
    assert calls == [1]


async def test_names_are_strings_one_by_one(cache: Cache) -> None:
    """A list where names are given one by one, or a string where a list is, names something else: refused."""
    tags: Any = ["order:7"]
    with pytest.raises(SettingsError, match="arguments of their own"):
        await cache.invalidate(tags)
    with pytest.raises(SettingsError, match="arguments of their own"):
        await cache.delete(tags)
    with pytest.raises(SettingsError, match="write a list"):
        await cache.set("key", 1, tags="order:7")
    with pytest.raises(SettingsError, match="write a list"):
        cache.depends("sold", on="order:7")
