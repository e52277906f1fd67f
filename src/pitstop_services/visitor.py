"""A visitor of a service, for Locust: makes the same choices in every run, of what its host has."""

import itertools
import json
import threading
from collections.abc import Callable
from random import Random
from typing import Any, TypeVar
from urllib.request import urlopen

from locust import FastHttpUser, between

from pitstop_services.popularity import SEED, Ids

__all__ = ["Visitor", "learn"]

Told = TypeVar("Told")

_users = itertools.count(1)
_asking = threading.Lock()
_known: dict[tuple[str, Callable[[str], tuple[Ids, ...]]], tuple[Ids, ...]] = {}


class Visitor(FastHttpUser):
    """Base of a service's visitors, which say what they do and how often.

    Attributes:
        random: draws the same for the n-th visitor of every run.
    """

    abstract = True
    wait_time = between(1, 3)  # seconds

    def on_start(self) -> None:
        """Become the next visitor."""
        self.random = Random(SEED + next(_users))  # noqa: S311 - repeatable, not secret

    def find_once(self, find: Callable[[str], tuple[Ids, ...]]) -> tuple[Ids, ...]:
        """What there is to ask for; found by the first visitor of a host that looks so, for all."""
        host = str(self.host)
        with _asking:
            if (host, find) not in _known:
                _known[host, find] = find(host)
        return _known[host, find]


def learn(host: str, path: str, read: Callable[[Any], Told], *, what: str, cure: str) -> Told:
    """Something that an answer of a host tells; this request is not counted.

    Args:
        host: its URL.
        read: takes it from the answer's JSON.
        what: it is, for the message.
        cure: what to do if the answer does not tell it.

    Raises:
        RuntimeError: it does not.
    """
    url = f"{host.rstrip('/')}{path}"
    try:
        with urlopen(url, timeout=60) as answer:  # noqa: S310 - not Locust's client, which would count it
            return read(json.load(answer))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RuntimeError(f"{url} does not tell {what} ({error}): {cure}") from error
