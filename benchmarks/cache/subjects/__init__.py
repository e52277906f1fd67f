"""The caches side by side, one file each; those that are not installed are named with the reason."""

from collections.abc import Iterator
from functools import cache
from importlib import import_module

from benchmarks.cache.subjects.subject import Subject

__all__ = ["absent", "answering", "by_name"]

FILES = ("plain", "redis_py", "pitstop", "async_lru", "cashews", "aiocache", "fastapi_cache", "dogpile")


@cache
def _found() -> tuple[dict[str, list[type[Subject]]], dict[str, str]]:
    found: dict[str, list[type[Subject]]] = {}
    missing: dict[str, str] = {}
    for file in FILES:
        try:
            found[file] = list(import_module(f"{__name__}.{file}").SUBJECTS)
        except ImportError as error:
            missing[file] = f"skipped: {str(error).partition(' (/')[0]}"
    return found, missing


def absent() -> dict[str, str]:
    """Which caches cannot take part, and why."""
    return _found()[1]


def answering(question: str) -> Iterator[type[Subject]]:
    """The caches and modes that take part in a question."""
    for subjects in _found()[0].values():
        yield from (subject for subject in subjects if question in subject.answers)


def by_name(name: str) -> type[Subject]:
    """The adapter of that name, in a child process."""
    return next(s for subjects in _found()[0].values() for s in subjects if s.name == name)
