"""The floors of the house: an import goes down, never up, never in a circle (docs/architecture.md).

Every import counts, wherever it stands: at the top, in a function, under ``TYPE_CHECKING``, and by
name. What imports by name what cannot be read here is refused.
"""

from __future__ import annotations

import ast
import shutil
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import comfywatchman

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PACKAGE = Path(comfywatchman.__file__).parent
NAME = PACKAGE.name

FLOORS: tuple[frozenset[str], ...] = tuple(
    frozenset(rooms.split())
    for rooms in (
        (
            "__init__ results findings escape redaction masking errors room state state_files "
            "sqlite_file private_file lenient_json latest discovery flag exclusion streams clock "
            "moments host integrity started address garbage time_limit"
        ),
        "settings off_switch ownership",
        "comfyui workflow gate schedule",
        "checks",
        "judging",
        "report history acceptances modelfiles",
        "catalogue",
        "metrics events channels fixes",
        (
            "basis present bom cycle conversion fixing forecast status fleet schemas doctor "
            "workstation"
        ),
        "command_line",
        "commands",
        "cli",
        "__main__",
    )
)
"""From the ground up. Rooms of one floor may use each other, in one direction."""

BY_NAME = "discovery"
"""The one module that imports what it is told to; it is told with modules, not with names."""


def violations(package: Path) -> list[str]:
    """Everything in a package that is against the rules, a sentence each."""
    modules = {_dotted(file, package): file for file in sorted(package.rglob("*.py"))}
    floors = {room: height for height, floor in enumerate(FLOORS) for room in floor}
    homeless = sorted({_room(module) for module in modules} - floors.keys())
    found = [f"{room} stands on no floor" for room in homeless]
    uses: dict[str, set[str]] = {}
    for module, file in modules.items():
        uses[module] = set()
        inside = module if file.name == "__init__.py" else module.rpartition(".")[0]
        for line, name in _imported(file.read_text(encoding="utf-8"), inside):
            if name is None:
                if _room(module) != BY_NAME:
                    found.append(f"{module}:{line} imports by a name that cannot be read")
                continue
            target = _module(name, modules)
            if target is None or target == module:
                continue
            uses[module].add(target)
            here, there = floors.get(_room(module)), floors.get(_room(target))
            if here is not None and there is not None and there > here:
                found.append(f"{module}:{line} imports {target}, which stands above it")
    rooms: dict[str, set[str]] = {}
    for module, targets in uses.items():
        rooms.setdefault(_room(module), set()).update(map(_room, targets))
    for graph in (uses, {room: used - {room} for room, used in rooms.items()}):
        found += [f"{' and '.join(circle)} import each other" for circle in _circles(graph)]
    return found


def _dotted(file: Path, package: Path) -> str:
    parts = file.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _room(module: str) -> str:
    return module.split(".")[1] if "." in module else "__init__"


def _module(name: str, modules: Iterable[str]) -> str | None:
    """The module that a dotted name is, or is a member of; None if it is not ours."""
    if name != NAME and not name.startswith(f"{NAME}."):
        return None
    while name not in modules and "." in name:
        name = name.rpartition(".")[0]
    return name


@cache
def _imported(source: str, package: str) -> list[tuple[int, str | None]]:
    """Line and dotted name of what is imported; None for a name that cannot be read."""
    return list(_imports(ast.parse(source), package))


def _imports(tree: ast.AST, package: str) -> Iterator[tuple[int, str | None]]:
    by_name = {"import_module", "__import__"}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "importlib":
            by_name |= {a.asname or a.name for a in node.names if a.name == "import_module"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join(filter(None, [*above, base]))
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call):
            called = node.func
            name = called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")
            if name in by_name:
                first = node.args[0] if node.args else None
                readable = isinstance(first, ast.Constant) and isinstance(first.value, str)
                yield node.lineno, first.value if readable else None  # type: ignore[union-attr]


def _circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of names that reach each other."""

    def reach(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = list(graph.get(start, ()))
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                waiting += graph.get(name, ())
        return seen

    reached = {name: reach(name) for name in graph}
    groups = {
        tuple(sorted(other for other in reached[name] if name in reached.get(other, ())))
        for name in graph
        if name in reached[name]
    }
    return [list(group) for group in sorted(groups)]


def test_imports_go_down() -> None:
    assert violations(PACKAGE) == []


@pytest.fixture
def house(tmp_path: Path) -> Path:
    return shutil.copytree(PACKAGE, tmp_path / NAME, ignore=shutil.ignore_patterns("__pycache__"))


@pytest.mark.parametrize(
    ("room", "planted", "sentence"),
    [
        ("workflow/load.py", "from comfywatchman import judging", "imports comfywatchman.judging"),
        ("workflow/load.py", "from ..checks.engine import walk", "imports comfywatchman.checks"),
        (
            "checks/api_node.py",
            "if TYPE_CHECKING:\n    from comfywatchman.cycle.graph import CycleState",
            "comfywatchman.cycle.graph, which stands above",
        ),
        (
            "report/html.py",
            "def late():\n    import comfywatchman.fleet.html",
            "comfywatchman.fleet.html, which stands above",
        ),
        (
            "gate/disk.py",
            "from importlib import import_module\nimport_module('comfywatchman.report.store')",
            "comfywatchman.report.store, which stands above",
        ),
        (
            "gate/disk.py",
            "from importlib import import_module as bring\nbring('comfywatchman.report.store')",
            "comfywatchman.report.store, which stands above",
        ),
        (
            "gate/disk.py",
            "import importlib\nimportlib.import_module('comfywatchman.' + 'report')",
            "imports by a name that cannot be read",
        ),
        ("gate/disk.py", "__import__('comfywatchman.cli')", "comfywatchman.cli, which stands"),
        ("workflow/scope.py", "from comfywatchman.workflow import convert", "import each other"),
        ("comfyui/files.py", "from comfywatchman.gate import gpu", "import each other"),
        ("annex.py", "", "annex stands on no floor"),
        ("annex/__init__.py", "", "annex stands on no floor"),
    ],
)
def test_what_is_planted_is_found(house: Path, room: str, planted: str, sentence: str) -> None:
    file = house / room
    file.parent.mkdir(exist_ok=True)
    with file.open("a", encoding="utf-8") as stream:
        stream.write(f"\n{planted}\n")
    assert [v for v in violations(house) if sentence in v]
