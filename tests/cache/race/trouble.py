"""Trouble that a race goes through: freezing, cutting, restarting; each ends what it began."""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from pitstop.cache.clock import clock
from tests.cache.race.party import Runner
from tests.cache.race.proxy import Proxy
from tests.cache.server import OwnRedis

__all__ = ["cut", "delay", "freeze_redis", "freeze_workers", "half_open", "restart_redis"]

Trouble = Callable[[float], None]


def _until(seconds: float) -> Iterator[None]:
    end = clock() + seconds
    while clock() < end:
        yield


def freeze_workers(workers: Sequence[Runner], *, seconds: float) -> Trouble:
    """Stop one process after the other for about so long."""

    def trouble(lasting: float) -> None:
        for _ in _until(lasting):
            worker = random.choice(workers)
            worker.freeze()
            try:
                time.sleep(seconds * (0.8 + 0.4 * random.random()))
            finally:
                worker.thaw()
            time.sleep(random.random() * 0.3)

    return trouble


def freeze_redis(redis: OwnRedis, *, least: float, most: float, between: float = 1.0) -> Trouble:
    """Stop the server now and then."""

    def trouble(lasting: float) -> None:
        for _ in _until(lasting):
            redis.freeze()
            try:
                time.sleep(random.uniform(least, most))
            finally:
                redis.thaw()
            time.sleep(random.random() * between)

    return trouble


def restart_redis(redis: OwnRedis, *, between: float = 1.0) -> Trouble:
    """Kill the server now and then, and start it again, empty."""

    def trouble(lasting: float) -> None:
        for _ in _until(lasting):
            redis.restart()
            time.sleep(random.random() * between)

    return trouble


def cut(proxies: Sequence[Proxy], *, between: float = 0.3) -> Trouble:
    """Close all connections of one process after the other."""

    def trouble(lasting: float) -> None:
        for _ in _until(lasting):
            random.choice(proxies).cut()
            time.sleep(random.random() * between)

    return trouble


def half_open(proxies: Sequence[Proxy], *, seconds: float) -> Trouble:
    """Let connections of one process after the other stand still for about so long."""

    def trouble(lasting: float) -> None:
        for _ in _until(lasting):
            proxy = random.choice(proxies)
            proxy.block()
            time.sleep(seconds * (0.5 + random.random()))
            if random.random() < 0.5:
                proxy.cut()
            proxy.mend()
            time.sleep(random.random() * 0.3)

    return trouble


def delay(proxies: Sequence[Proxy], *, seconds: float) -> Trouble:
    """Slow one process down after the other."""

    def trouble(lasting: float) -> None:
        for _ in _until(lasting):
            proxy = random.choice(proxies)
            proxy.delay = random.random() * seconds
            time.sleep(0.5)
            proxy.delay = 0.0

    return trouble


@contextmanager
def proxies(redis: OwnRedis, number: int) -> Iterator[list[Proxy]]:
    """So many ways to a server."""
    made = [Proxy(redis.port) for _ in range(number)]
    try:
        yield made
    finally:
        for each in made:
            each.close()
