"""Errors: one tree, drawn as it is, and a missing extra that says how to get it."""

import inspect
from pathlib import Path

import pytest

from pitstop import errors
from pitstop.errors import MissingExtra, PitstopError, require

CLASSES = [
    value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, Exception)
]


def test_one_root_catches_all() -> None:
    """Every error of ours is a PitstopError, is public, and says its cure."""
    assert all(issubclass(each, PitstopError) and each.__doc__ for each in CLASSES)
    assert {each.__name__ for each in CLASSES} | {"require"} == set(errors.__all__)


def test_the_tree_is_drawn_as_it_is() -> None:
    """Each class stands in the docstring of the module, as deep as its ancestors are many."""
    drawn = {}
    for line in (errors.__doc__ or "").splitlines():
        name = line.strip(" ├└│─").split(" ")[0]
        if name in errors.__all__:
            drawn[name] = (len(line) - len(line.lstrip(" ├└│─")) - 4) // 4
    depth = {each.__name__: each.__mro__.index(PitstopError) for each in CLASSES}
    assert drawn == depth


def test_what_is_installed_is_imported() -> None:
    """The module itself comes back, also one inside a package."""
    assert require("json.decoder", extra="x", what="tests").__name__ == "json.decoder"


@pytest.mark.parametrize("module", ["no_such_thing", "no_such_thing.inner"])
def test_a_missing_extra_says_how_to_get_it(module: str) -> None:
    """The message names who needs it and the command that installs it."""
    with pytest.raises(MissingExtra) as caught:
        require(module, extra="alerts", what="alerts")
    assert str(caught.value) == "alerts need the 'alerts' extra: pip install 'pitstop[alerts]'"


@pytest.mark.parametrize("missing", ["quite_another_thing", "halved"])
def test_what_an_installed_module_lacks_is_not_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """A module that is there but broken shows its own error, even if the names begin alike."""
    (tmp_path / "halved_package.py").write_text(f"import {missing}\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match=missing):
        require("halved_package", extra="alerts", what="alerts")
