"""Settings, commands, findings and public names are documented; both READMEs say the same."""

import importlib
import inspect
import json
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

import pitstop
import pitstop.advisor.rules
from pitstop.cli import app
from pitstop.settings import Settings
from tests.docs.markdown import DOCS, ROOT, fences, headings, prose, section, tables

README = (ROOT / "README.md").read_text("utf-8")
KOREAN = (ROOT / "README.ko.md").read_text("utf-8")
COMMANDS = (DOCS / "commands.md").read_text("utf-8")
FINDINGS = (DOCS / "findings.md").read_text("utf-8")


def commands() -> dict[str, Any]:
    group: Any = typer.main.get_command(app)  # of click, or of the copy that typer brings, by version
    return dict(group.commands)


def options(command: Any) -> set[str]:
    parts = getattr(command, "commands", {}).values()
    names = {name for each in (command, *parts) for param in each.params for name in param.opts}
    return {name for name in names if name.startswith("--") and name != "--help"}


def as_written(default: object) -> str:
    """A default as it stands in the environment."""
    if default is None:
        return "none"
    return f"`{default if isinstance(default, Path) else json.dumps(default)}`"


def test_settings() -> None:
    """Each setting is in the table with its variable and its default, and nothing else is."""
    (table,) = tables((DOCS / "settings.md").read_text("utf-8"))
    expected = [
        [f"`PITSTOP_{name.upper()}`", f"`{name}`", as_written(field.get_default(call_default_factory=True))]
        for name, field in Settings.model_fields.items()
    ]
    assert [row[:3] for row in table[1:]] == expected


def test_commands() -> None:
    """Each command has a section, and each section a command."""
    documented = {name.removeprefix("pitstop ") for level, name in headings(COMMANDS) if level == 2}
    assert documented == set(commands())


def test_commands_of_groups() -> None:
    """The commands of a group stand below it."""
    grouped = {
        f"{name} {part}" for name, each in commands().items() for part in getattr(each, "commands", {})
    }
    documented = {name.removeprefix("pitstop ") for level, name in headings(COMMANDS) if level == 3}
    assert documented == grouped


@pytest.mark.parametrize("name", sorted(commands()))
def test_options(name: str) -> None:
    """The section of a command has its options and no others."""
    table = [row[0] for each in tables(section(COMMANDS, f"pitstop {name}")) for row in each]
    assert set(re.findall(r"--[a-z-]+", " ".join(table))) == options(commands()[name])


def rules() -> list[str]:
    package = pitstop.advisor.rules
    modules = [f"{package.__name__}.{each.name}" for each in pkgutil.iter_modules(package.__path__)]
    return [importlib.import_module(name).RULE for name in modules]


@pytest.mark.parametrize("rule", rules())
def test_findings(rule: str) -> None:
    """Each rule of the advisor has a section that says the cure."""
    assert "**Cure.**" in section(FINDINGS, rule)


def test_no_other_findings() -> None:
    """No section is left of a rule that is gone."""
    assert {name for level, name in headings(FINDINGS) if level == 2} == set(rules())


def rooms() -> Iterator[str]:
    """Every room and module; commands have a page of their own, and ``app`` stands with the package."""
    yield "pitstop"
    for each in pkgutil.iter_modules(pitstop.__path__):
        if each.name not in ("cli", "app", "__main__"):
            yield f"pitstop.{each.name}"


@pytest.mark.parametrize("room", list(rooms()))
def test_reference(room: str) -> None:
    """Each public name of a room is in its page of the reference."""
    page = (DOCS / "reference" / f"{room.removeprefix('pitstop.')}.md").read_text("utf-8")
    names = getattr(importlib.import_module(room), "__all__", [])
    assert {name for name in names if not re.search(rf"(- |\.){name}\b", page)} == set()


@pytest.mark.parametrize("page", sorted((DOCS / "reference").glob("*.md")), ids=lambda page: page.stem)
def test_reference_is_real(page: Path) -> None:
    """Each name that a page of the reference lists exists and has a docstring."""
    for module, members in re.findall(
        r"^::: (\S+)\n.*?members:\n((?:\s+- \w+\n?)*)", page.read_text(), re.S | re.M
    ):
        for name in re.findall(r"- (\w+)", members):
            found = getattr(importlib.import_module(module), name)
            assert inspect.getdoc(found) or not (inspect.isclass(found) or inspect.isroutine(found)), name


def test_languages() -> None:
    """Both READMEs have the same headings, tables, links and blocks, in the same order."""
    assert [level for level, _ in headings(KOREAN)] == [level for level, _ in headings(README)]
    assert fences_of(KOREAN) == fences_of(README)
    assert [shape(table) for table in tables(KOREAN)] == [shape(table) for table in tables(README)]
    links = re.compile(r"\]\(((?!README)[^)]+)\)")
    assert links.findall(KOREAN) == links.findall(README)


def fences_of(text: str) -> list[tuple[str, str]]:
    return [(each.language, each.text) for each in fences(text)]


def shape(table: list[list[str]]) -> list[int]:
    return [len(row) for row in table]


def figures(text: str) -> list[str]:
    between = (
        "\n".join(prose(text)).partition("<!-- before-after -->")[2].partition("<!-- /before-after -->")[0]
    )
    return re.findall(r"\d[\d,.]*", between)


def test_figures() -> None:
    """The figures of the comparison are the same in both READMEs."""
    assert figures(KOREAN) == figures(README) != []


def test_transcript() -> None:
    """What the README shows of the loop is what the quickstart shows, which is tested."""
    shown = {
        line for each in fences((DOCS / "quickstart.md").read_text("utf-8")) for line in each.text.split("\n")
    }
    transcripts = [each.text for each in fences(README) if not each.language and each.text.startswith("$ ")]
    assert len(transcripts) == 4
    assert [line for each in transcripts for line in each.split("\n") if line not in shown] == []


@pytest.mark.parametrize("text", [README, KOREAN], ids=["english", "korean"])
def test_links(text: str) -> None:
    """The README links only to what is there, sections included."""
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
        path, _, anchor = target.partition("#")
        page = ROOT / path
        assert page.exists(), target
        if anchor:
            anchors = [name.lower().replace(" ", "-") for _, name in headings(page.read_text("utf-8"))]
            assert anchor in anchors, target
