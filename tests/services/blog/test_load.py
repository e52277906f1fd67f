"""What the load asks for; run in processes of their own, since Locust patches its process."""

from pitstop_services.blog import forms
from pitstop_services.blog.api import ROUTERS
from tests.services.child import run


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


STALE = """
    import json, random
    from pitstop_services.blog import load

    class Answer:
        ok = True
        def __init__(self, data): self.data, self.said = data, []
        def json(self): return self.data
        def failure(self, why): self.said.append(why)
        def __enter__(self): return self
        def __exit__(self, *_): pass

    class Client:
        def get(self, path, **_): return self.give(path)
        put = post = get

    visitor = load.BlogMixed.__new__(load.BlogMixed)
    visitor.acknowledged = load.Acknowledged()
    visitor.client = Client()
    visitor.random = random.Random(1)
    visitor.posts = visitor.authors = load.Ids([7])
    found = {}
"""


def test_a_stale_answer_is_an_error_of_the_load() -> None:
    """A post without an acknowledged change fails, a list without an acknowledged post too."""
    answer = run(
        STALE
        + """
    def post(title, id=7): return {"id": id, "title": title}
    def ask(task, *titles):
        given = Answer(post(titles[0]) if task == "_read" else {"posts": [post(each) for each in titles]})
        visitor.client.give = lambda path: given
        visitor._read(7) if task == "_read" else getattr(visitor, task)()
        return len(given.said)

    found["before any"] = ask("_read", "seeded")
    visitor.acknowledged.versions[7] = 5
    found["old"] = [ask("_read", "seeded"), ask("_read", "T ~4"), ask("list_user_posts", "x ~5", "T ~4")]
    found["new"] = [ask("_read", "T ~5"), ask("_read", "T ~6"), ask("list_user_posts", "T ~5")]
    visitor.acknowledged.newest = 8
    visitor.random.choice = lambda these: 0
    found["missing"] = ask("list_posts", "T ~5")
    print(json.dumps(found))
    """
    )
    assert answer == {"before any": 0, "old": [1, 1, 1], "new": [0, 0, 0], "missing": 1}


def test_visitors_share_what_was_acknowledged() -> None:
    """What one has written counts for all; a post that is being written is written by nobody else."""
    answer = run(
        STALE
        + """
    asked = []
    def give(path):
        asked.append(path)
        return Answer({"id": 7, "title": "T"})
    visitor.client.give = give
    visitor.acknowledged.writing.add(7)
    visitor.update_post()
    found["busy"] = dict(visitor.acknowledged.versions)
    visitor.acknowledged.writing.clear()
    visitor.update_post()
    found["known"] = list(visitor.acknowledged.versions)
    found["writing"] = list(visitor.acknowledged.writing)
    visitor.create_post()
    found["newest"] = visitor.acknowledged.newest
    found["asked"] = asked
    print(json.dumps(found))
    """
    )
    assert answer == {
        "busy": {},
        "known": [7],
        "writing": [],
        "newest": 7,
        "asked": ["/posts/7", "/posts/7", "/posts/7", "/posts", "/posts/7"],
    }
