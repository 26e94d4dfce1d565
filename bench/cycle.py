"""One cycle over the official templates, and what is to answer at once, against their floors."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bench import templates
from bench.measure import Contender, alternate, table
from tests.standin.comfyui import StandIn

if TYPE_CHECKING:
    from collections.abc import Mapping

FLOOR = Path(__file__).with_name("floor.py")
IMPORT = "python -c 'import langgraph.graph'"


def main(rounds: int, before: Path | None = None) -> None:
    """Measure and print."""
    workflows = templates.folder()
    with tempfile.TemporaryDirectory() as folder, StandIn() as comfyui:
        environment, contenders = against_floor(
            comfyui.url, workflows, Path(folder, "state"), before
        )
        runs = alternate(contenders, rounds)
        files = len(list(workflows.rglob("*.json")))
        size = sum(file.stat().st_size for file in workflows.rglob("*.json")) / 1e6
        print(f"A cycle over the official templates: {files} files, {size:.0f} MB")
        print(table(runs, "floor"))

        runs = alternate(at_once(environment), rounds)
        print()
        print(table(runs, IMPORT))


def at_once(environment: dict[str, str]) -> list[Contender]:
    """What a person waits for, and the import that a cycle cannot do without."""
    program = [sys.executable, "-m", "comfywatchman.cli"]
    return [
        Contender(IMPORT, [sys.executable, "-c", "import langgraph.graph"], environment),
        *(
            Contender(f"comfywatchman {said}", [*program, *said.split()], environment)
            for said in ("status", "--help", "check --help")
        ),
    ]


def against_floor(
    url: str, workflows: Path, state: Path, before: Path | None = None
) -> tuple[dict[str, str], list[Contender]]:
    """The floor, a cycle with an empty state folder, and one with what that has left there.

    Args:
        url: the server's address.
        workflows: the folder that is judged.
        state: the state folder.
        before: another checkout, whose two cycles are measured in the same run.

    Returns:
        Their environment, and the three, or the five.
    """
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(state.parent),
        "PYTHONPATH": str(Path(__file__).parents[1]),
        "COMFYWATCHMAN_COMFYUI_URL": url,
        "COMFYWATCHMAN_STATE_DIR": str(state),
        "COMFYWATCHMAN_WORKFLOW_DIRS": str(workflows),
    }
    floor = Contender("floor", [sys.executable, str(FLOOR), url, str(workflows)], environment)
    contenders = [floor, *_cycles("", environment, state)]
    if before is not None:
        earlier = environment | {
            "PYTHONPATH": str(before),
            "COMFYWATCHMAN_STATE_DIR": f"{state}-before",
        }
        contenders += _cycles(" (before)", earlier, Path(f"{state}-before"))
    return environment, contenders


def _cycles(which: str, environment: Mapping[str, str], state: Path) -> list[Contender]:
    # -P: not from the current folder but from that of PYTHONPATH
    cycle = [sys.executable, "-P", "-m", "comfywatchman.cli", "--run-check"]
    return [
        Contender(
            f"first cycle{which}",
            cycle,
            environment,
            before=lambda: shutil.rmtree(state, ignore_errors=True),
        ),
        Contender(f"next cycle, nothing changed{which}", cycle, environment),
    ]
