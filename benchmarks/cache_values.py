"""What keys, tags, codecs and entries of the cache cost, beside json and pickle; microseconds of CPU.

The value is an order of about 2 KB as JSON. Rounds are interleaved and medians are told; ``limit`` is what
the cache may spend on a hit. Codecs are also set beside json and pickle of the same data.
"""

import json
import os
import pickle
import statistics
import timeit
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import BaseModel

from pitstop.cache.codec import codec_for
from pitstop.cache.compression import compress, decompress
from pitstop.cache.entry import pack, unpack
from pitstop.cache.key import KeyMaker

ROUNDS = int(os.environ.get("ROUNDS", "11"))
NUMBER = 2_000
LIMITS = {"key of f(7)": 6.0, "one tag": 2.0, "read an entry, compare 5 tokens": 1.5}


@dataclass
class Line:
    sku: str
    name: str
    quantity: int
    price: float
    in_stock: bool


@dataclass
class Order:
    id: int
    customer: str
    currency: str
    lines: list[Line]


class LineModel(BaseModel):
    sku: str
    name: str
    quantity: int
    price: float
    in_stock: bool


class OrderModel(BaseModel):
    id: int
    customer: str
    currency: str
    lines: list[LineModel]


def _order() -> Order:
    lines = [Line(f"SKU-{n:05}", f"A thing of the kind {n}", n, n * 1.25, n % 3 > 0) for n in range(20)]
    return Order(7, "somebody@example.org", "KRW", lines)


def _read_order(order_id: int) -> Order: ...  # type: ignore[empty-body]


def _hit_work() -> dict[str, Callable[[], object]]:
    keys = KeyMaker(_read_order, namespace="bench")
    templates = ["order:{order_id}"]
    keys.check_templates(templates)
    tokens = [os.urandom(8) for _ in range(5)]
    packed = pack(b"x" * 2000, tokens=tokens, fresh_until=1.0, stale_until=1.0)
    arguments, named = (7,), {"order_id": 7}

    def compare() -> bool:
        entry = unpack(packed)
        return entry is not None and entry.tokens == tuple(tokens)

    return {
        "key of f(7)": lambda: keys.digest(arguments, {}),
        "key of f(order_id=7)": lambda: keys.digest((), named),
        "one tag": lambda: keys.tags(templates, arguments, {}),
        "read an entry, compare 5 tokens": compare,
    }


def _codec_work() -> dict[str, Callable[[], object]]:
    order = _order()
    data = asdict(order)
    model = OrderModel.model_validate(data)
    work: dict[str, Callable[[], object]] = {}
    cases: list[tuple[str, Any, Any]] = [
        ("msgpack, dataclass", Order, order),
        ("plain, dict", Any, data),
        ("pydantic, model", OrderModel, model),
    ]
    for name, annotation, value in cases:
        codec = codec_for(annotation)
        payload = codec.checked_encode(value)
        work[f"{name}: encode"] = lambda codec=codec, value=value: codec.encode(value)  # type: ignore[misc]
        work[f"{name}: decode"] = lambda codec=codec, payload=payload: codec.decode(payload)  # type: ignore[misc]
        work[f"{name}: checked encode"] = lambda codec=codec, value=value: codec.checked_encode(value)  # type: ignore[misc]
    text, pickled, packed = (
        json.dumps(data).encode(),
        pickle.dumps(order),
        compress(json.dumps(data).encode())[1],
    )
    return work | {
        "json, dict: encode": lambda: json.dumps(data).encode(),
        "json, dict: decode": lambda: json.loads(text),
        "pickle, dataclass: encode": lambda: pickle.dumps(order),
        "pickle, dataclass: decode": lambda: pickle.loads(pickled),
        f"zstd-1 of {len(text)} bytes to {len(packed)}": lambda: compress(text),
        "zstd-1 back": lambda: decompress(packed),
    }


def main() -> None:
    work = _hit_work() | _codec_work()
    times: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(ROUNDS):
        for name, function in work.items():
            times[name].append(timeit.timeit(function, number=NUMBER) / NUMBER * 1e6)
    print(f"\ncache values: microseconds, median of {ROUNDS} interleaved rounds")
    for name, each in times.items():
        limit = LIMITS.get(name)
        told = "" if limit is None else f"   limit {limit:.1f}"
        print(f"  {name:34} {statistics.median(each):7.2f}{told}")


if __name__ == "__main__":
    main()
