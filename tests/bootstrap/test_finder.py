"""The finder: hooks after imports, imports nothing itself, breaks no import."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from pitstop.bootstrap.finder import after_import


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory on the path with a package `watched` in it; the finders are restored afterwards."""
    (tmp_path / "watched").mkdir()
    (tmp_path / "watched" / "__init__.py").write_text("value = 1\n")
    (tmp_path / "watched" / "part.py").write_text("import watched\nvalue = watched.value + 1\n")
    (tmp_path / "broken.py").write_text("raise ValueError('theirs')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    yield tmp_path
    for name in ("watched", "watched.part", "broken"):
        sys.modules.pop(name, None)


def test_the_hook_is_called_once_with_the_executed_module(modules: Path) -> None:
    """After the module's own code has run, before the import returns; not on a second import."""
    seen: list[int] = []
    after_import({"watched.part": lambda module: seen.append(module.value)}, failed=_never)
    assert "watched" not in sys.modules
    importlib.import_module("watched")
    assert seen == []
    importlib.import_module("watched.part")
    importlib.import_module("watched.part")
    assert seen == [2]


def test_a_module_that_is_there_already_is_hooked_at_once(modules: Path) -> None:
    """What was imported before us (by a .pth file, say) is not missed."""
    importlib.import_module("watched")
    seen: list[ModuleType] = []
    after_import({"watched": seen.append}, failed=_never)
    assert seen == [sys.modules["watched"]]


def test_a_failing_hook_does_not_fail_the_import(modules: Path) -> None:
    """The error goes to the callback; the module is imported all the same."""
    failures: list[tuple[str, BaseException]] = []

    def hook(module: ModuleType) -> None:
        raise ZeroDivisionError

    after_import({"watched": hook}, failed=lambda name, error: failures.append((name, error)))
    assert importlib.import_module("watched").value == 1
    assert [(name, type(error)) for name, error in failures] == [("watched", ZeroDivisionError)]


def test_errors_of_the_import_are_the_programs_own(modules: Path) -> None:
    """A module that raises, or is missing, does so as without us; the hook is not called."""
    after_import({"broken": _never_called, "missing_module": _never_called}, failed=_never)
    with pytest.raises(ValueError, match="theirs"):
        importlib.import_module("broken")
    with pytest.raises(ModuleNotFoundError, match="missing_module"):
        importlib.import_module("missing_module")


def test_the_loader_stays_the_one_that_tools_expect(modules: Path) -> None:
    """Sources, resources and reloads work as on any module."""
    seen: list[ModuleType] = []
    after_import({"watched": seen.append}, failed=_never)
    module = importlib.import_module("watched")
    assert module.__spec__ is not None
    assert type(module.__spec__.loader).__name__ == "SourceFileLoader"
    importlib.reload(module)
    assert seen == [module, module]


def _never(name: str, error: BaseException) -> None:
    raise AssertionError(name) from error


def _never_called(module: ModuleType) -> None:
    raise AssertionError(module)
