"""Imported by Python at its start because ``pitstop run`` put this directory on the ``PYTHONPATH``.

It may run in any interpreter below the command, one without Pitstop too, so it relies on nothing but
the standard library, whatever its version.
"""

import os
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec

_HERE = os.path.dirname(os.path.abspath(__file__))
_TOLD = "PITSTOP_RUN_TOLD"


def _observe() -> None:
    try:
        from pitstop.bootstrap.activate import activate
    except ImportError as error:
        if os.environ.get(_TOLD) is None:  # once, not again in every child
            os.environ[_TOLD] = "1"
            sys.stderr.write(
                f"pitstop: going on unobserved: {sys.executable} cannot import pitstop ({error}); "
                f"install it there: {sys.executable} -m pip install pitstop\n"
            )
        return
    activate()


def _chain() -> None:
    """Run the ``sitecustomize`` that would have run without us, as ``sitecustomize``."""
    spec = PathFinder.find_spec("sitecustomize")
    if spec is None or spec.loader is None:
        return
    module = module_from_spec(spec)
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != _HERE]
try:
    _observe()
except Exception as error:  # noqa: BLE001 - nothing of ours may stop the user's program
    sys.stderr.write(f"pitstop: going on unobserved: {type(error).__name__}: {error}\n")
_chain()
