"""The load on the blog, for Locust: readers 3:2:1, readers of whom some write, and the list of 100 alone.

Runs under ``pitstop bench blog`` and as it is: ``locust -f load.py --host http://...``. Ids are drawn
by Zipf's law over all rows of the data that the blog is seeded with; how often it was repeated is
read off the host. For a host with other data say which ids there are:
``PITSTOP_LOAD_POSTS=1-5000 PITSTOP_LOAD_USERS=1-900``.
"""

import itertools
import json
import os
import threading
from random import Random
from typing import Any
from urllib.request import urlopen

from locust import FastHttpUser, between

from pitstop_services.blog.structure import read_structure
from pitstop_services.blog.text import prose, title

__all__ = ["BlogList100", "BlogMixed", "BlogReader", "Ids", "find_ids"]

EXPONENT = 1.0
SEED = 20200531
PAGE = 20  # rows

_users = itertools.count(1)
_asking = threading.Lock()
_known: dict[str, tuple["Ids", "Ids"]] = {}


class Ids:
    """Ids of which the k-th most popular is drawn in proportion to 1/k.

    Args:
        ids: all that there are; which of them is popular is shuffled, the same in every run.
    """

    def __init__(self, ids: list[int]) -> None:
        self.ids = ids.copy()
        Random(SEED).shuffle(self.ids)  # noqa: S311 - repeatable, not secret
        self.weights = list(itertools.accumulate(1 / rank**EXPONENT for rank in range(1, len(ids) + 1)))

    def draw(self, random: Random) -> int:
        """One id."""
        return random.choices(self.ids, cum_weights=self.weights)[0]


class _Visitor(FastHttpUser):
    """What a visitor can do; how often is said by the classes below."""

    abstract = True
    wait_time = between(1, 3)  # seconds

    def on_start(self) -> None:
        """Learn which ids there are, once for a host."""
        host = str(self.host)
        with _asking:
            if host not in _known:
                _known[host] = find_ids(host)
        self.posts, self.authors = _known[host]
        self.random = Random(SEED + next(_users))  # noqa: S311 - repeatable, not secret

    def list_posts(self) -> None:
        """Open the first page, or one of the next two."""
        offset = PAGE * self.random.choice((0, 0, 0, 1, 2))
        self.client.get(f"/posts?limit={PAGE}&offset={offset}", name="GET /posts")

    def list_100_posts(self) -> None:
        """Open the longest page there is."""
        self.client.get("/posts?limit=100", name="GET /posts")

    def read_post(self) -> None:
        """Open a post."""
        self.client.get(f"/posts/{self.posts.draw(self.random)}", name="GET /posts/{id}")

    def list_user_posts(self) -> None:
        """Open what somebody wrote."""
        self.client.get(f"/users/{self.authors.draw(self.random)}/posts", name="GET /users/{id}/posts")

    def create_post(self) -> None:
        """Write a post of about the usual length."""
        body = {**self._words(), "author_id": self.authors.draw(self.random)}
        self.client.post("/posts", json=body, name="POST /posts")

    def update_post(self) -> None:
        """Rewrite a post."""
        self.client.put(f"/posts/{self.posts.draw(self.random)}", json=self._words(), name="PUT /posts/{id}")

    def _words(self) -> dict[str, Any]:
        key = self.random.randrange(1 << 20)
        return {"title": title(key, chars=50), "body": prose(key, chars=830), "tags": ["load"]}


class BlogReader(_Visitor):
    """Reads: the list, a post, a user's posts, 3:2:1."""

    tasks = [  # noqa: RUF012
        *[_Visitor.list_posts] * 3,
        *[_Visitor.read_post] * 2,
        _Visitor.list_user_posts,
    ]


class BlogMixed(_Visitor):
    """Reads like ``BlogReader``, and 5% of what it does are writes."""

    tasks = [  # noqa: RUF012
        *[_Visitor.list_posts] * 57,
        *[_Visitor.read_post] * 38,
        *[_Visitor.list_user_posts] * 19,
        *[_Visitor.create_post] * 3,
        *[_Visitor.update_post] * 3,
    ]


class BlogList100(_Visitor):
    """Opens the list of 100 posts, again and again."""

    tasks = [_Visitor.list_100_posts]  # noqa: RUF012


def find_ids(host: str) -> tuple[Ids, Ids]:
    """The posts and the users to ask a host for.

    Raises:
        RuntimeError: the host does not answer like the blog, or a variable cannot be read.
    """
    posts, users = os.environ.get("PITSTOP_LOAD_POSTS"), os.environ.get("PITSTOP_LOAD_USERS")
    if posts and users:
        return Ids(_range(posts)), Ids(_range(users))
    structure = read_structure()
    scale = max(1, _total(host) // len(structure.published_ids(scale=1)))
    return Ids(structure.published_ids(scale=scale)), Ids(structure.author_ids(scale=scale))


def _range(value: str) -> list[int]:
    first, _, last = value.partition("-")
    if not (first.isdigit() and last.isdigit() and int(first) <= int(last)):
        raise RuntimeError(f"cannot read the ids {value!r}: write them like 1-5000")
    return list(range(int(first), int(last) + 1))


def _total(host: str) -> int:
    url = f"{host.rstrip('/')}/posts?limit=1"
    try:
        with urlopen(url, timeout=60) as answer:  # noqa: S310 - not Locust's client: this is not counted
            return int(json.load(answer)["total"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RuntimeError(
            f"{url} does not tell how many posts there are ({error}): start the blog there, or say "
            "which ids to use, e.g. PITSTOP_LOAD_POSTS=1-5000 PITSTOP_LOAD_USERS=1-900"
        ) from error
