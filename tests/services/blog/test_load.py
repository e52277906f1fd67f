"""What the load asks for; run in processes of their own, since Locust patches its process."""

import json
import subprocess
import sys
import textwrap

from pitstop_services.blog import forms
from pitstop_services.blog.api import ROUTERS


def run(code: str, **environment: str) -> dict[str, object]:
    """What a piece of code that imports Locust prints as JSON."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={"PATH": "/usr/bin:/bin", **environment},
    )
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def test_ids_follow_zipf() -> None:
    """The k-th most popular id is asked for in proportion to 1/k, and every run draws the same."""
    answer = run("""
        import collections, json, random
        from pitstop_services.blog.load import Ids
        ids = Ids(list(range(1000)))
        seen = collections.Counter(ids.draw(random.Random(n)) for n in range(40_000))
        other = Ids(list(range(1000)))
        same = all(ids.draw(random.Random(n)) == other.draw(random.Random(n)) for n in range(100))
        top = [seen[each] for each in ids.ids[:10]]
        print(json.dumps({"top": top, "same": same}))
    """)
    top = answer["top"]
    assert isinstance(top, list)
    assert answer["same"] is True
    assert 1.7 < top[0] / top[1] < 2.3
    assert 7 < top[0] / top[9] < 14


def test_ids_come_from_the_environment_or_the_data() -> None:
    """Given ranges are used as they are; the data's own ids fit the scale that the host's total tells."""
    given = run(
        """
        import json
        from pitstop_services.blog.load import find_ids
        posts, users = find_ids("http://nowhere.invalid")
        print(json.dumps({"posts": len(posts.ids), "users": sorted(users.ids)}))
        """,
        PITSTOP_LOAD_POSTS="1-5000",
        PITSTOP_LOAD_USERS="7-9",
    )
    assert given == {"posts": 5000, "users": [7, 8, 9]}
    read = run("""
        import json
        from pitstop_services.blog import load
        load._total = lambda host: 2 * 3306 + 5  # two copies, and five posts written since
        posts, users = load.find_ids("http://blog")
        print(json.dumps({"posts": len(set(posts.ids)), "users": len(set(users.ids))}))
    """)
    assert read["posts"] == 6612


def test_scenarios_weigh_as_said() -> None:
    """Readers weigh 3:2:1, 5% of the mixed load writes, and the forms name classes that exist."""
    answer = run("""
        import collections, json
        from pitstop_services.blog import load
        names = ("BlogReader", "BlogMixed", "BlogList100")
        print(json.dumps({
            name: collections.Counter(task.__name__ for task in getattr(load, name).tasks) for name in names
        }))
    """)
    assert answer["BlogReader"] == {"list_posts": 3, "read_post": 2, "list_user_posts": 1}
    mixed = answer["BlogMixed"]
    assert isinstance(mixed, dict)
    assert (mixed["create_post"] + mixed["update_post"]) / sum(mixed.values()) == 0.05
    assert set(forms.SCENARIOS.values()) <= set(answer)
    assert set(forms.FORMS) == set(ROUTERS)
