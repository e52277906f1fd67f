"""The value that is cached: an order of 2 KB as JSON."""

import json
from typing import Any

__all__ = ["ORDER", "ORDER_BYTES", "load_order", "order"]


def order(*, lines: int = 16) -> dict[str, Any]:
    """An order with so many lines, about 120 bytes each."""
    return {
        "id": 7,
        "customer": {"id": 31, "name": "Hong Gildong", "city": "Seoul"},
        "total": 1234.5,
        "lines": [
            {"sku": f"SKU-{line:05}", "name": f"Coffee beans no. {line}", "quantity": line,
             "price": 9.9 * line, "tags": ["new", "sale"], "gift": line % 2 == 0}
            for line in range(lines)
        ],
    }  # fmt: skip


ORDER = order()
ORDER_BYTES = len(json.dumps(ORDER))


async def load_order(key: int) -> dict[str, Any]:
    """The slow function, made fast: only the cache is of interest."""
    return ORDER
