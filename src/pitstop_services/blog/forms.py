"""The forms the blog is measured in, and how."""

__all__ = ["DEFAULT_PAIR", "DEFAULT_SCALE", "FORMS", "REDIS_FORMS", "SCENARIOS"]

# form -> the Alembic revision of the database it runs on
FORMS = {
    "naive": "0001",
    "naive-async": "0001",
    "naive-peers": "0001",
    "tuned-sync": "head",
    "read-models": "head",
    "tuned": "head",
    "cached": "head",
}
# those that are measured with a Redis
REDIS_FORMS = ("cached",)
DEFAULT_PAIR = ("naive", "tuned")
# measurement -> the Locust class in load.py
SCENARIOS = {"throughput": "BlogList100", "latency": "BlogReader"}
DEFAULT_SCALE = 1
