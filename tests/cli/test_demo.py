"""What ``pitstop demo`` works on: a copy of the service's source."""

import subprocess
import sys
from pathlib import Path

from pitstop.cli.demo import copy_service


def test_the_copy_runs(tmp_path: Path) -> None:
    """The copied service is imported from where it was copied to, with all that it needs."""
    copy_service(tmp_path)
    shown = "import pitstop_services.blog.api as api; print(api.__file__)"
    ended = subprocess.run(
        [sys.executable, "-c", shown],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(tmp_path)},
    )
    assert (ended.stderr, Path(ended.stdout.strip())) == ("", tmp_path / "pitstop_services/blog/api.py")
