"""A meta-path finder that calls a function right after a module was imported, and imports nothing itself."""

import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

__all__ = ["Hook", "after_import"]

Hook = Callable[[ModuleType], None]
Failed = Callable[[str, BaseException], None]


def after_import(hooks: dict[str, Hook], *, failed: Failed) -> None:
    """Call each hook with its module once that is imported; at once if it is already.

    Args:
        hooks: by the full name of the module.
        failed: called with the module's name and the error when a hook raises; the import succeeds.
    """
    waiting = {name: hook for name, hook in hooks.items() if name not in sys.modules}
    if waiting:
        sys.meta_path.insert(0, _Finder(waiting, failed))
    for name in hooks.keys() - waiting.keys():
        _call(hooks[name], sys.modules[name], failed)


class _Finder(MetaPathFinder):
    """Lets the other finders find, then has their loader call the hook after it executed the module."""

    def __init__(self, hooks: dict[str, Hook], failed: Failed) -> None:
        self._hooks = hooks
        self._failed = failed

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        hook = self._hooks.get(name)
        if hook is None:
            return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            spec = find(name, path, target) if find is not None and finder is not self else None
            if spec is not None:
                self._attach(spec, hook)
                return spec  # type: ignore[no-any-return]
        return None

    def _attach(self, spec: ModuleSpec, hook: Hook) -> None:
        # The loader stays the one that other tools expect; only this instance's method is replaced.
        loader: Any = spec.loader
        execute = getattr(loader, "exec_module", None)
        if execute is None:
            return

        def exec_module(module: ModuleType) -> None:
            execute(module)
            if module.__name__ == spec.name:  # some loaders, as that of zip files, serve many modules
                _call(hook, module, self._failed)

        try:
            loader.exec_module = exec_module
        except AttributeError as error:
            self._failed(spec.name, error)


def _call(hook: Hook, module: ModuleType, failed: Failed) -> None:
    try:
        hook(module)
    except Exception as error:  # noqa: BLE001 - nothing of ours may stop the user's program
        failed(module.__name__, error)
