"""A cycle over a large installation, and how its cost grows with the number of workflows."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from bench import installation
from bench.cycle import against_floor
from bench.measure import Run, alternate, median, table
from tests.standin.comfyui import StandIn

NODE_TYPES, MODELS, WORKFLOWS, CATALOG = 2_700, 10_000, 5_000, 104_000_000
PEAK_LIMIT = 1_000_000_000 / 1024**2
"""MiB."""
STEPS = (64, 640, 6_400)


def main(rounds: int, before: Path | None = None) -> None:
    """Measure and print.

    Args:
        rounds: measured runs of each.
        before: another checkout, measured in the same run.

    Raises:
        SystemExit: a cycle over the large installation took more memory than it may.
    """
    with tempfile.TemporaryDirectory() as folder:
        _growth(Path(folder, "growth"), rounds)
        print()
        _large(Path(folder, "large"), rounds, before)


def _large(folder: Path, rounds: int, before: Path | None) -> None:
    workflows = folder / "workflows"
    size = installation.save_workflows(workflows, WORKFLOWS)
    with installation.served(NODE_TYPES, MODELS, CATALOG) as (url, catalog):
        runs = alternate(against_floor(url, workflows, folder / "state", before)[1], rounds)
    print(
        f"{WORKFLOWS:,} workflows, {size / 1e6:.0f} MB; "
        f"{NODE_TYPES:,} node types, {catalog / 1e6:.0f} MB, {MODELS:,} models"
    )
    print(table(runs, "floor"))
    peak = max(run.peak for name in runs if name != "floor" for run in runs[name])
    if peak > PEAK_LIMIT:
        raise SystemExit(f"a peak of {peak:.0f} MiB is more than {PEAK_LIMIT:.0f} MiB")


def _growth(folder: Path, rounds: int) -> None:
    steps: list[dict[str, Run]] = []
    with StandIn() as comfyui:
        for count in STEPS:
            workflows = folder / f"{count}"
            installation.save_workflows(workflows, count)
            _, contenders = against_floor(comfyui.url, workflows, folder / "state")
            runs = alternate(contenders, rounds)
            steps.append({name: median(measured) for name, measured in runs.items()})
            shutil.rmtree(workflows)
    print(
        f"{f'of {STEPS[0]} workflows, times':<34} {'files':>7} {'wall':>8} {'CPU':>8} {'peak':>8}"
    )
    for name, one in steps[0].items():
        for count, step in zip(STEPS, steps, strict=True):
            run = step[name]
            times = (run.wall / one.wall, run.cpu / one.cpu, run.peak / one.peak)
            print(f"{name:<34} {count:>7,} {' '.join(f'{x:>8.2f}' for x in times)}")
