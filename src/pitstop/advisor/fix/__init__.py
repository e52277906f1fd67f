"""Source fixes: the loader options that cure an N+1, written into the user's own files.

libcst (extra ``fix``) is imported when the first fix is planned, not before.
"""

from collections.abc import Iterable
from pathlib import Path

from pitstop.advisor.fix.cure import Cure, cures_from_findings
from pitstop.advisor.fix.plan import FileFix, Fix, Plan, Refusal
from pitstop.advisor.fix.writing import write_fixes
from pitstop.errors import require

__all__ = [
    "Cure",
    "FileFix",
    "Fix",
    "Plan",
    "Refusal",
    "cures_from_findings",
    "plan_fixes",
    "write_fixes",
]


def plan_fixes(cures: Iterable[Cure], *, root: Path | None = None, outside: bool = False) -> Plan:
    """Work out how the sources change so that the cures hold; nothing is written.

    Args:
        cures: what was observed, in any order.
        root: only files below this directory are changed; default: the current directory.
        outside: change files outside ``root`` and in site-packages as well.

    Returns:
        the plan: a diff for each file, what each fix promises, and what was refused and why.

    Raises:
        MissingExtra: libcst is not installed.
    """
    require("libcst", extra="fix", what="source fixes")
    from pitstop.advisor.fix.planning import Planner

    return Planner(root=(root or Path.cwd()).resolve(), outside=outside).plan(cures)
