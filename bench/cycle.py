"""One cycle over the official templates, and ``comfywatchman status``, against their floors."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from bench import templates
from bench.measure import Contender, alternate, table
from tests.standin.comfyui import StandIn

FLOOR = Path(__file__).with_name("floor.py")


def main(rounds: int) -> None:
    """Measure and print."""
    workflows = templates.folder()
    with tempfile.TemporaryDirectory() as folder, StandIn() as comfyui:
        state = Path(folder, "state")
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": folder,
            "PYTHONPATH": str(Path(__file__).parents[1]),
            "COMFYWATCHMAN_COMFYUI_URL": comfyui.url,
            "COMFYWATCHMAN_STATE_DIR": str(state),
            "COMFYWATCHMAN_WORKFLOW_DIRS": str(workflows),
        }
        cycle = [sys.executable, "-m", "comfywatchman.cli", "--run-check"]
        runs = alternate(
            [
                Contender(
                    "floor", [sys.executable, str(FLOOR), comfyui.url, str(workflows)], environment
                ),
                Contender(
                    "first cycle",
                    cycle,
                    environment,
                    before=lambda: shutil.rmtree(state, ignore_errors=True),
                ),
                Contender("next cycle, nothing changed", cycle, environment),
            ],
            rounds,
        )
        files = len(list(workflows.rglob("*.json")))
        size = sum(file.stat().st_size for file in workflows.rglob("*.json")) / 1e6
        print(f"A cycle over the official templates: {files} files, {size:.0f} MB")
        print(table(runs, "floor"))

        runs = alternate(
            [
                Contender(
                    "python -c 'import langgraph.graph'",
                    [sys.executable, "-c", "import langgraph.graph"],
                    environment,
                ),
                Contender(
                    "comfywatchman status",
                    [sys.executable, "-m", "comfywatchman.cli", "status"],
                    environment,
                ),
            ],
            rounds,
        )
        print()
        print(table(runs, "python -c 'import langgraph.graph'"))
