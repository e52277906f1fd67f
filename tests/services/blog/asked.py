"""What the blog is asked in the tests of every service."""

from typing import Any

import httpx

from pitstop_services.blog.structure import PUBLISHED, read_structure

# a published post whose author is gone
ORPHAN = next(
    row["id"] for row in read_structure().posts if row["post_type"] in PUBLISHED and not row["author_id"]
)
PATHS = {
    "first page": "/posts",
    "longest page": "/posts?limit=100",
    "deep page": "/posts?limit=7&offset=3200",
    "last page, not full": "/posts?limit=100&offset=3300",
    "empty page": "/posts?offset=3306",
    "far beyond the end": "/posts?limit=1&offset=9223372036854775807",
    "below a cursor": "/posts?limit=50&after=1580888898497000~8070",
    "below a cursor, skipping": "/posts?limit=5&offset=3&after=1580888898497000~8070",
    "below the first of all": "/posts?after=0~0",
    "below the greatest cursor": "/posts?limit=1&after=9999999999999999~999999999999999999",
    "a question with comments": "/posts/646",
    "an answer": "/posts/4",
    "a post whose author is gone": f"/posts/{ORPHAN}",
    "an unpublished post": "/posts/94",
    "no such post": "/posts/424242",
    "the greatest id": f"/posts/{2**63 - 1}",
    "the author of most": "/users/5064/posts?limit=100",
    "the author of most, below": "/users/5064/posts?limit=9&after=1500000000000000~1",
    "a user without posts": "/users/9999/posts",
    "the account -1": "/users/-1/posts",
    "no such user": "/users/424242/posts",
    "search": "/posts/search?q=malt hop&limit=30",
    "search in another script": "/posts/search?q=맥주 酒",
    "search for a stray quote": "/posts/search?q=' OR 1=1 --",
    "search below a cursor": "/posts/search?q=malt&limit=3&after=1580888898497000~8070",
    "search without a hit": "/posts/search?q=gasoline",
}
REFUSED = [
    "/posts?limit=0",
    "/posts?limit=101",
    "/posts?limit=ten",
    "/posts?offset=-1",
    f"/posts?offset={2**63}",
    "/posts?after=",
    "/posts?after=yesterday",
    "/posts?after=1~99999999999999999999",
    "/posts?after=99999999999999999~1",
    f"/posts/{2**63}",
    "/posts/one",
    "/users/one/posts",
    "/posts/search",
    "/posts/search?q=%00",
]

# for the plans: what is asked where the tables are large, and which those are
FORMS = ("tuned", "read-models", "cached")  # whose statements differ
LARGE = {"posts", "comments"}
PAGES = [
    "/posts?limit=50",
    "/posts?limit=20&offset=3200",
    "/posts/646",
    "/users/5064/posts?limit=20",
    "/users/5064/posts?limit=5&offset=40",
    "/posts/search?q=malt hop&limit=20",
    "/posts/search?q=malt&limit=20&offset=20",
    "/posts/search?q=gasoline",
]
CURSOR = "after"
POST = {"title": "New", "body": "words", "tags": ["malt"]}
WRITES = [("POST", "/posts", {**POST, "author_id": 2}), ("PUT", "/posts/646", POST)]


def told(reply: httpx.Response) -> tuple[int, Any]:
    """Status and answer."""
    return reply.status_code, reply.json()
