#!/bin/sh
# Installs a wheel into an empty environment and runs the main job from an empty directory.
set -eu
wheel=$(readlink -f "$1")
pins=$(readlink -f requirements/constraints.txt)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT INT TERM
"${PYTHON:-python3}" -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet --constraint "$pins" "$wheel[all]"
mkdir "$place/empty"
cd "$place/empty"
"$place/venv/bin/pitstop" bench blog --seconds 1 --warmup 1 --repeat 1 --out report --json > result.json
"$place/venv/bin/python" - <<'PYTHON'
import json, pathlib

result = json.loads(pathlib.Path("result.json").read_text())
assert {each["mode"] for each in result["measurements"]} == {"throughput", "latency"}, result.keys()
assert pathlib.Path("report/report.html").stat().st_size > 10_000
print("the wheel runs the main job")
PYTHON
