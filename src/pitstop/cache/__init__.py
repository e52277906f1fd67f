"""The cache that never serves stale data: in the process, in Redis, coherent with the database."""

from pitstop.cache.cache import Cache
from pitstop.cache.function import Cached
from pitstop.cache.function_async import AsyncCached
from pitstop.cache.function_sync import SyncCached
from pitstop.cache.stats import CacheStats, NamespaceStats
from pitstop.cache.ttl import TTL_BY_KIND, Adaptive

__all__ = [
    "TTL_BY_KIND",
    "Adaptive",
    "AsyncCached",
    "Cache",
    "CacheStats",
    "Cached",
    "NamespaceStats",
    "SyncCached",
]
