"""What a cycle with its history takes beside one without: nothing changed, and a tenth worse.

Both are of this checkout, and run in turn over the official templates. ``--before`` measures
another checkout as well, which may be of before there was a history.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench import templates
from bench.measure import Contender, Run, alternate, median
from tests.standin.comfyui import StandIn, recorded_node_types

if TYPE_CHECKING:
    from collections.abc import Mapping

UNCHANGED: Final = 1.05
WORSE: Final = 1.5
PEAK: Final = 1.2
"""Most that a cycle with history takes, as a multiple of one without: of CPU where nothing changed,
of CPU where a tenth is worse, of memory."""
_SHARE: Final = 0.1
_WITH: Final = "with history"
_WITHOUT: Final = "without"
_BEFORE: Final = "without (before)"


def main(rounds: int, before: Path | None = None) -> None:
    """Measure and print.

    Args:
        rounds: measured runs of each.
        before: another checkout, measured in the same run.
    """
    declared = dict(recorded_node_types("full"))
    workflows = templates.folder()
    with tempfile.TemporaryDirectory() as folder, StandIn() as server:
        scene = _Scene(Path(folder), server, workflows, before)
        scene.settle()
        runs = alternate(scene.contenders(None), rounds)
        print("A cycle over the official templates, nothing changed")
        print(_table(runs, UNCHANGED))
        scene.keep()
        changed, worse, count = _a_tenth_worse(declared)
        print(f"\nThe same, {len(changed)} node types have a new input: {worse} of {count} worse")
        offered = {**declared, **changed}
        runs = alternate(scene.contenders(offered, as_kept=True), rounds)
        print(_table(runs, WORSE))


class _Scene:
    """A state folder for each contender."""

    def __init__(self, folder: Path, server: StandIn, workflows: Path, before: Path | None) -> None:
        self._folder, self._server = folder, server
        here = Path(__file__).parents[1]
        self._setups: dict[str, tuple[Path, str]] = {
            _WITHOUT: (here, "0"),
            _WITH: (here, "730"),
        }
        if before is not None:
            self._setups[_BEFORE] = (before, "")
        self._common = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "COMFYWATCHMAN_COMFYUI_URL": server.url,
            "COMFYWATCHMAN_WORKFLOW_DIRS": str(workflows),
        }

    def settle(self) -> None:
        """Run two cycles with each: the first has everything to learn."""
        for contender in 2 * self.contenders(None):
            contender.run()

    def keep(self) -> None:
        """Keep the state folders as they are now."""
        for name in self._setups:
            shutil.copytree(self._state(name), self._kept(name))

    def contenders(
        self, offered: Mapping[str, Any] | None, *, as_kept: bool = False
    ) -> list[Contender]:
        """The cycles, against a server that offers these node types.

        Args:
            offered: the node types.
            as_kept: whether each begins with the state folder that was kept.
        """
        return [
            Contender(
                name,
                [sys.executable, "-P", "-m", "comfywatchman.cli", "--run-check"],
                self._environment(name),
                before=partial(self._prepare, name, offered, as_kept=as_kept),
            )
            for name in self._setups
        ]

    def _environment(self, name: str) -> dict[str, str]:
        checkout, days = self._setups[name]
        own = {"PYTHONPATH": str(checkout), "COMFYWATCHMAN_STATE_DIR": str(self._state(name))}
        if days:
            own["COMFYWATCHMAN_HISTORY_DAYS"] = days
        return self._common | own

    def _prepare(self, name: str, offered: Mapping[str, Any] | None, *, as_kept: bool) -> None:
        self._server.object_info = offered
        if as_kept:
            shutil.rmtree(self._state(name))
            shutil.copytree(self._kept(name), self._state(name))

    def _state(self, name: str) -> Path:
        return self._folder / f"state {name}"

    def _kept(self, name: str) -> Path:
        return self._folder / f"kept {name}"


def _a_tenth_worse(declared: Mapping[str, Any]) -> tuple[dict[str, Any], int, int]:
    """Node types that get a new required input, on which a tenth of the workflows rest.

    Returns:
        Their declarations; how many workflows rest on them, and of how many.
    """
    files = templates.workflows()
    users: dict[str, set[Path]] = defaultdict(set)
    for file in files:
        for node in json.loads(file.read_bytes())["nodes"]:
            if node.get("type") in declared and node.get("mode", 0) == 0:
                users[node["type"]].add(file)
    worse: set[Path] = set()
    changed = {}
    for name, using in sorted(users.items(), key=lambda item: (len(item[1]), item[0])):
        if len(using) > 2 and len(worse | using) <= _SHARE * len(files):
            worse |= using
            required = {**declared[name]["input"].get("required", {}), "strength": ["FLOAT", {}]}
            changed[name] = {
                **declared[name],
                "input": {**declared[name]["input"], "required": required},
            }
    return changed, len(worse), len(files)


def _table(runs: Mapping[str, list[Run]], limit: float) -> str:
    middle = {name: median(measured) for name, measured in runs.items()}
    lines = [f"{'median of ' + str(len(runs[_WITH])):<20} {'wall':>8} {'CPU':>8} {'peak':>9}"]
    for name, run in middle.items():
        lines.append(f"{name:<20} {run.wall:>6.2f} s {run.cpu:>6.2f} s {run.peak:>5.0f} MiB")
    with_history = middle[_WITH]
    for name in runs.keys() - {_WITH}:
        other = middle[name]
        lines.append(
            f"with history / {name}: wall {with_history.wall / other.wall:.2f}, CPU "
            f"{with_history.cpu / other.cpu:.2f} (at most {limit}), peak "
            f"{with_history.peak / other.peak:.2f} (at most {PEAK})"
        )
    return "\n".join(lines)
