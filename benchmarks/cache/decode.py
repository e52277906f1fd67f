"""What it takes to make a value of bytes again, and to press bytes together."""

import asyncio
import copy
import json
import pickle
import zlib
from collections.abc import Awaitable, Callable
from importlib import import_module

import msgspec
import zstandard

from benchmarks.cache.order import order
from benchmarks.cache.rounds import interleave
from benchmarks.cache.stage import Scale
from benchmarks.cache.table import Table, amount

Step = Callable[[], object]


def ask(scale: Scale) -> list[Table]:
    """Measure; one table of formats and one of compressors."""
    return [asyncio.run(_formats(scale)), asyncio.run(_compressors(scale))]


async def _formats(scale: Scale) -> Table:
    small, large = _decoders(order(lines=16)), _decoders(order(lines=400))
    table = Table("decoding a value", ("", "us CPU, 2 KB", "us CPU, 50 KB", "x fastest"))
    first = await _measure(small, count=400, rounds=scale.pick(9, 3))
    second = await _measure(large, count=20, rounds=scale.pick(9, 3))
    fastest = min(first.values())
    for name, cost in sorted(first.items(), key=lambda item: item[1]):
        table.rows.append((name, amount(cost), amount(second[name]), f"{cost / fastest:.1f}"))
    return table


async def _compressors(scale: Scale) -> Table:
    raw = msgspec.json.encode(order(lines=400))
    table = Table(f"compressing {len(raw) / 1000:.0f} KB of JSON", ("", "us CPU in", "us CPU out", "size"))
    press = zstandard.ZstdCompressor(level=1)
    expand = zstandard.ZstdDecompressor()
    zstd, flat = press.compress(raw), zlib.compress(raw, 6)
    steps: dict[str, Step] = {
        "zstd 1": lambda: press.compress(raw),
        "zstd 1 out": lambda: expand.decompress(zstd),
        "zlib 6": lambda: zlib.compress(raw, 6),
        "zlib 6 out": lambda: zlib.decompress(flat),
    }
    costs = await _measure(steps, count=20, rounds=scale.pick(9, 3))
    for name, size in ("zstd 1", len(zstd)), ("zlib 6", len(flat)):
        cells = amount(costs[name]), amount(costs[f"{name} out"]), f"{size / len(raw):.0%}"
        table.rows.append((name, *cells))
    return table


def _decoders(value: dict[str, object]) -> dict[str, Step]:
    text, pickled = json.dumps(value).encode(), pickle.dumps(value)
    packed, decode = msgspec.msgpack.encode(value), msgspec.json.Decoder().decode
    unpack = msgspec.msgpack.Decoder().decode
    steps: dict[str, Step] = {
        "msgspec JSON": lambda: decode(text),
        "msgspec MessagePack": lambda: unpack(packed),
        "pickle (cashews, dogpile.cache)": lambda: pickle.loads(pickled),
        "json (aiocache)": lambda: json.loads(text),
        "copy.deepcopy": lambda: copy.deepcopy(value),
    }
    return steps | _installed(text)


def _installed(text: bytes) -> dict[str, Step]:
    """The decoders of what may not be here."""
    steps: dict[str, Step] = {}
    try:
        orjson = import_module("orjson")
        steps["orjson"] = lambda: orjson.loads(text)
    except ImportError:
        pass
    try:
        coder = import_module("fastapi_cache.coder").JsonCoder
        steps["json with object_hook (fastapi-cache2)"] = lambda: coder.decode(text)
    except ImportError:
        pass
    return steps


async def _measure(steps: dict[str, Step], *, count: int, rounds: int) -> dict[str, float]:
    def slice_(step: Step) -> Callable[[], Awaitable[int]]:
        async def run() -> int:
            for _ in range(count):
                step()
            return count

        return run

    costs = await interleave({name: slice_(step) for name, step in steps.items()}, rounds=rounds)
    return {name: cost.cpu_us for name, cost in costs.items()}
