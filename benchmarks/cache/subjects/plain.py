"""What Python has by itself: a dict, a function that is awaited, ``functools.lru_cache``."""

from functools import lru_cache

from benchmarks.cache.order import ORDER
from benchmarks.cache.subjects.subject import Load, Subject


class Dict(Subject):
    name = "dict (limit)"
    answers = frozenset({"hits"})
    blocking = True

    def wrap(self, load: Load) -> Load:
        return {key: load(key) for key in range(100)}.__getitem__


class Plain(Subject):
    name = "await of a plain function"
    answers = frozenset({"hits"})

    def wrap(self, load: Load) -> Load:
        async def plain(key: int) -> object:
            return ORDER

        return plain


class LruCache(Subject):
    name = "functools.lru_cache"
    answers = frozenset({"hits", "memory"})
    blocking = True

    def wrap(self, load: Load) -> Load:
        return lru_cache(maxsize=1000)(load)


SUBJECTS = (Dict, Plain, LruCache)
