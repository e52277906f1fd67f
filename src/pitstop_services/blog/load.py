"""The load on the blog, for Locust: readers 3:2:1, readers of whom some write, and the list of 100 alone.

Runs under ``pitstop bench blog`` and as it is: ``locust -f load.py --host http://...``. Ids are drawn
by Zipf's law over all rows of the data that the blog is seeded with; how often it was repeated is
read off the host. For a host with other data say which ids there are:
``PITSTOP_LOAD_POSTS=1-5000 PITSTOP_LOAD_USERS=1-900``.
"""

import itertools
import os
import time
from typing import Any

from pitstop_services.blog.structure import read_structure
from pitstop_services.blog.text import prose, title
from pitstop_services.popularity import Ids, read_range
from pitstop_services.visitor import Visitor, learn

__all__ = ["BlogList100", "BlogMixed", "BlogReader", "Ids", "find_ids"]

PAGE = 20  # rows
_MARK = "~"  # in the title of a post that was rewritten, before its number
# above those of an earlier load on the same server, of which nobody here knows
_FIRST_VERSION = time.time_ns() // 1_000_000

_acknowledged: dict[str, "Acknowledged"] = {}


class _Visitor(Visitor):
    """What a visitor can do; how often is said by the classes below."""

    abstract = True

    def on_start(self) -> None:
        """Learn which posts and authors there are."""
        super().on_start()
        self.posts, self.authors = self.find_once(find_ids)

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


class _CheckingVisitor(_Visitor):
    """A visitor who knows what was acknowledged to anybody, and takes nothing older for an answer."""

    abstract = True

    def on_start(self) -> None:
        """Share with all visitors of this host what was acknowledged."""
        super().on_start()
        self.acknowledged = _acknowledged.setdefault(str(self.host), Acknowledged())

    def list_posts(self) -> None:
        """Open the first page, or one of the next two."""
        offset = PAGE * self.random.choice((0, 0, 0, 1, 2))
        first = self.acknowledged.newest if offset == 0 else 0
        known = dict(self.acknowledged.versions)
        with self._get(f"/posts?limit={PAGE}&offset={offset}", "GET /posts") as answer:
            posts = answer.json()["posts"] if answer.ok else []
            if answer.ok and max((post["id"] for post in posts), default=0) < first:
                answer.failure(f"stale: the list does not have post {first}, which was acknowledged")
            _check(answer, posts, known)

    def read_post(self) -> None:
        """Open a post."""
        self._read(self.posts.draw(self.random))

    def list_user_posts(self) -> None:
        """Open what somebody wrote."""
        known = dict(self.acknowledged.versions)
        with self._get(f"/users/{self.authors.draw(self.random)}/posts", "GET /users/{id}/posts") as answer:
            _check(answer, answer.json()["posts"] if answer.ok else [], known)

    def create_post(self) -> None:
        """Write a post, and open it."""
        body = {**self._words(), "author_id": self.authors.draw(self.random)}
        with self.client.post("/posts", json=body, name="POST /posts", catch_response=True) as answer:
            if not answer.ok:
                return
            post_id = int(answer.json()["id"])
            self.acknowledged.newest = max(self.acknowledged.newest, post_id)
        self._read(post_id)

    def update_post(self) -> None:
        """Rewrite a post, and open it."""
        post_id = self.posts.draw(self.random)
        if post_id in self.acknowledged.writing:  # two at once: nobody knows which of them is the newer
            return self._read(post_id)
        self.acknowledged.writing.add(post_id)
        try:
            version = next(self.acknowledged.numbers)
            body = {**self._words(), "title": f"{title(version, chars=40)} {_MARK}{version}"}
            path = f"/posts/{post_id}"
            with self.client.put(path, json=body, name="PUT /posts/{id}", catch_response=True) as answer:
                if answer.ok:
                    self.acknowledged.versions[post_id] = version
        finally:
            self.acknowledged.writing.discard(post_id)
        self._read(post_id)

    def _read(self, post_id: int) -> None:
        known = dict(self.acknowledged.versions)
        with self._get(f"/posts/{post_id}", "GET /posts/{id}") as answer:
            _check(answer, [answer.json()] if answer.ok else [], known)

    def _get(self, path: str, name: str) -> Any:
        return self.client.get(path, name=name, catch_response=True)


class Acknowledged:
    """What a server has acknowledged to one of the visitors.

    Attributes:
        versions: number of the last rewriting by post; the title of a post ends with it.
        newest: greatest id of a post that was written.
        writing: posts that are being rewritten.
        numbers: where the numbers come from.
    """

    def __init__(self) -> None:
        self.versions: dict[int, int] = {}
        self.newest = 0
        self.writing: set[int] = set()
        self.numbers = itertools.count(_FIRST_VERSION)


def _check(answer: Any, posts: list[dict[str, Any]], known: dict[int, int]) -> None:
    """Fail an answer that shows a post older than it was known to be when it was asked for."""
    for post in posts:
        least = known.get(post["id"], 0)
        shown = post["title"].rpartition(_MARK)[2]
        if least and not (shown.isdigit() and int(shown) >= least):
            answer.failure(f"stale: post {post['id']} is shown without an acknowledged change")
            return


class BlogMixed(_CheckingVisitor):
    """Reads like ``BlogReader``, 5% of what it does are writes, and an answer that is stale is an error."""

    tasks = [  # noqa: RUF012
        *[_CheckingVisitor.list_posts] * 57,
        *[_CheckingVisitor.read_post] * 38,
        *[_CheckingVisitor.list_user_posts] * 19,
        *[_CheckingVisitor.create_post] * 3,
        *[_CheckingVisitor.update_post] * 3,
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
        return Ids(read_range(posts)), Ids(read_range(users))
    structure = read_structure()
    scale = max(1, _total(host) // len(structure.published_ids(scale=1)))
    return Ids(structure.published_ids(scale=scale)), Ids(structure.author_ids(scale=scale))


def _total(host: str) -> int:
    return learn(
        host,
        "/posts?limit=1",
        lambda page: int(page["total"]),
        what="how many posts there are",
        cure="start the blog there, or say which ids to use, e.g. PITSTOP_LOAD_POSTS=1-5000 "
        "PITSTOP_LOAD_USERS=1-900",
    )
