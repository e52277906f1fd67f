"""What happens in a process under ``pitstop run``: nothing, until it imports something worth observing."""

import os
import sys
import threading
from types import ModuleType
from typing import TYPE_CHECKING

from pitstop.bootstrap.finder import after_import
from pitstop.bootstrap.patches import PATCHES

if TYPE_CHECKING:
    from pitstop.advisor.recorder import Recorder

__all__ = ["activate", "begin", "program_name"]

_lock = threading.RLock()
_begun = False
_recorder: "Recorder | None" = None
_warned = False


def activate() -> None:
    """Wait for the imports of SQLAlchemy, web frameworks and servers; observe them when they come.

    Nothing in here stops the program: what fails is one line on stderr.
    """
    if os.environ.get("PITSTOP_ENABLED", "1").strip().lower() in ("0", "false", "no", "off", "f", "n"):
        return
    hooks = {name: (lambda module, patch=patch: patch(module, begin)) for name, patch in PATCHES.items()}
    after_import({"sqlalchemy": _observe_sql, **hooks}, failed=_warn)


def begin() -> "Recorder | None":
    """Record this process from now on; called by whatever is worth recording, once or more.

    Returns:
        the recorder, or None where it could not be started.
    """
    global _begun, _recorder
    with _lock:
        if not _begun:
            _begun = True
            try:
                _recorder = _record()
            except Exception as error:  # noqa: BLE001 - nothing of ours may stop the user's program
                _warn("this process", error)
        return _recorder


def program_name() -> str:
    """What this process runs, as its user would say it: ``script.py``, ``package.module``, ``uvicorn``."""
    argv: str = [*getattr(sys, "argv", []), ""][0]
    module = _module_name(sys.orig_argv)
    if module is not None:
        return module
    if argv in ("", "-c", "-"):
        return f"python {argv}".strip()
    relative = os.path.relpath(argv)
    return relative if argv.endswith(".py") and not relative.startswith("..") else os.path.basename(argv)


def _module_name(command: list[str]) -> str | None:
    """The module of ``python [options] -m module``; the program's own arguments come after its name."""
    words = iter(command[1:])
    for word in words:
        if word == "-m":
            return next(words, None)
        if word in ("-W", "-X", "--check-hash-based-pycs"):
            next(words, None)
        elif not word.startswith("-") or word == "-c":
            return None
    return None


def _record() -> "Recorder":
    from pitstop.advisor.recorder import start_recorder
    from pitstop.scope import Scope, set_process_scope
    from pitstop.settings import load_settings
    from pitstop.store import Store

    settings = load_settings()
    process = Scope(program_name(), kind="process")
    recorder = start_recorder(Store(settings.store, max_bytes=settings.store_max_bytes), process=process)
    set_process_scope(process)
    return recorder


def _observe_sql(module: ModuleType) -> None:
    from pitstop.settings import load_settings
    from pitstop.sql import observe

    begin()
    settings = load_settings()
    observe(
        threshold=settings.n_plus_one_threshold,
        allow=settings.n_plus_one_allow,
        slow_ms=settings.slow_statement_ms,
    )


def _warn(what: str, error: BaseException) -> None:
    global _warned
    if not _warned:
        _warned = True
        sys.stderr.write(f"pitstop: going on without observing {what}: {type(error).__name__}: {error}\n")
