"""``comfy workflow validate`` of comfy-cli, which takes one file, against a check of a folder."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from pathlib import Path

from bench import templates
from bench.measure import Contender, alternate
from tests.standin.comfyui import recorded_object_info

SAMPLE = 5
# It exits with 1 to say that a workflow cannot run.
ONE_BY_ONE = """
comfy=$1 catalog=$2; shift 2
for file do
  "$comfy" --skip-prompt workflow validate --input "$catalog" --workflow "$file" ||
    [ $? -eq 1 ] || exit
done
"""


def main(comfy: Path, rounds: int) -> None:
    """Measure and print.

    Args:
        comfy: the program of comfy-cli.
        rounds: measured runs of each.
    """
    files = templates.workflows()
    sample = files[:: len(files) // SAMPLE][:SAMPLE]
    with tempfile.TemporaryDirectory() as folder:
        catalog = Path(folder, "object_info.json")
        catalog.write_bytes(recorded_object_info("full"))
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": folder,
            "PYTHONPATH": str(Path(__file__).parents[1]),
            "DO_NOT_TRACK": "1",
        }
        check = [sys.executable, "-m", "comfywatchman.cli", "check", "--object-info", str(catalog)]
        ours = Contender("ours", [*check, *map(str, files)], environment)
        theirs = Contender(
            "comfy workflow validate",
            ["sh", "-c", ONE_BY_ONE, "sh", str(comfy), str(catalog), *map(str, sample)],
            environment,
        )
        runs = alternate([ours, theirs], rounds)
    each = {
        name: 1000 * statistics.median(run.wall for run in runs[name]) / count
        for name, count in (("ours", len(files)), ("comfy workflow validate", len(sample)))
    }
    mine, peer = each.values()
    print(f"Milliseconds for each workflow, median of {rounds}, against a saved catalog")
    print(f"comfywatchman check, {len(files)} at once      {mine:8.1f}")
    print(f"comfy workflow validate, {len(sample)} one by one {peer:8.1f}")
    print(f"ratio                              {peer / mine:8.0f}")
