"""The rules of a test: what its marks, the command line and the ini file say together."""

from dataclasses import dataclass

import pytest

__all__ = ["BadMark", "Rules", "rules_of"]


class BadMark(ValueError):
    """A mark has arguments that cannot work; the message says which and what to write."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a test is held to.

    Attributes:
        limit: the most statements, or None.
        no_n_plus_one: whether an N+1 fails it.
        allow: patterns of N+1 that do not.
    """

    limit: int | None
    no_n_plus_one: bool
    allow: tuple[str, ...]

    @property
    def judging(self) -> bool:
        """Whether there is anything to hold it to."""
        return self.limit is not None or self.no_n_plus_one


def rules_of(item: pytest.Item) -> Rules:
    """The rules of a test. Of several ``max_queries`` the closest counts: function, class, module.

    Raises:
        BadMark: a mark has arguments that cannot work.
    """
    config = item.config
    allow = [*config.getini("allow_n_plus_one"), *config.getoption("allow_n_plus_one")]
    for mark in item.iter_markers("allow_n_plus_one"):
        allow += _patterns(mark)
    fail = config.getoption("fail_on_n_plus_one") or config.getini("fail_on_n_plus_one")
    closest = item.get_closest_marker("max_queries")
    return Rules(_limit(closest) if closest is not None else None, bool(fail), tuple(allow))


def _limit(mark: pytest.Mark) -> int:
    given = [*mark.args, *mark.kwargs.values()]
    if len(given) != 1 or not mark.kwargs.keys() <= {"limit"}:
        raise BadMark(f"{_written(mark)} takes one number: write @pytest.mark.max_queries(3)")
    (limit,) = given
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 0:
        raise BadMark(f"{_written(mark)} takes a whole number, 0 or more: write @pytest.mark.max_queries(3)")
    return limit


def _patterns(mark: pytest.Mark) -> list[str]:
    if mark.kwargs or not all(isinstance(each, str) for each in mark.args):
        raise BadMark(
            f"{_written(mark)} takes patterns as text: "
            'write @pytest.mark.allow_n_plus_one("Post.author", "*/reports/*.py")'
        )
    return list(mark.args) or ["*"]


def _written(mark: pytest.Mark) -> str:
    arguments = [*map(repr, mark.args), *(f"{name}={value!r}" for name, value in mark.kwargs.items())]
    return f"{mark.name}({', '.join(arguments)})"
