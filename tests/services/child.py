"""Code in a process of its own: Locust patches whatever process imports it."""

import json
import os
import subprocess
import sys
import textwrap


def run(code: str, **environment: str) -> dict[str, object]:
    """What a piece of code that imports Locust prints as JSON."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": os.environ.get("PYTHONPATH", ""), **environment},
    )
    answer: dict[str, object] = json.loads(done.stdout)
    return answer
