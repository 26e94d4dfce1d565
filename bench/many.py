"""A cycle over very many small workflows: what each of them costs beside its judging."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from bench.cycle import against_floor
from bench.measure import alternate, table
from tests import growth
from tests.standin.comfyui import StandIn

WORKFLOWS = 20_000


def main(rounds: int, before: Path | None = None) -> None:
    """Measure and print.

    Args:
        rounds: measured runs of each.
        before: another checkout, measured in the same run.
    """
    with tempfile.TemporaryDirectory() as folder, StandIn() as comfyui:
        workflows = Path(folder, "workflows")
        size = _save(workflows)
        contenders = against_floor(comfyui.url, workflows, Path(folder, "state"), before)[1]
        runs = alternate(contenders, rounds)
    print(f"A cycle over {WORKFLOWS:,} small workflows, {size / 1e6:.0f} MB")
    print(table(runs, "floor"))


def _save(folder: Path) -> int:
    """Write the workflows, each with a title and numbers of its own; how many bytes they have."""
    folder.mkdir()
    size = 0
    for number in range(WORKFLOWS):
        document = growth.plain(1 + number % 5)
        for node in document["nodes"]:
            node["title"] = f"{number}"
        text = json.dumps(document)
        (folder / f"{number}.json").write_text(text)
        size += len(text)
    return size
