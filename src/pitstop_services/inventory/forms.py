"""The forms the inventory is measured in, and how."""

__all__ = ["DEFAULT_PAIR", "DEFAULT_SCALE", "FORMS", "SCENARIOS"]

# form -> the Alembic revision of the database it runs on
FORMS = {"naive": "0001", "naive-peers": "0001", "tuned": "head"}
DEFAULT_PAIR = ("naive", "tuned")
# measurement -> the Locust class in load.py
SCENARIOS = {"throughput": "InventoryReader", "latency": "InventoryReader"}
DEFAULT_SCALE = 10  # 170,000 transactions
