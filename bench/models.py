"""Looking into 20,000 model files: all of them for the first time, then none of which changed.

Each is measured in a process of its own, from the server's list of names to the counts in the
report. One of the files is of 2 TB, of which the disk holds nothing but its head.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from bench.measure import Run, median
from comfywatchman.comfyui import model_files
from comfywatchman.comfyui.inventory import Inventory
from comfywatchman.cycle import models

FILES, TENSORS, LARGE, TENSORS_OF_LARGE = 20_000, 100, 500, 2_500
"""Files, tensors in each head; files of which the head is that of a checkpoint, and tensors."""
FOLDERS: Final = ("checkpoints", "loras", "vae", "controlnet")
COLD, WARM, PEAK = 60.0, 0.5, 100.0
"""Most seconds for all of them, and where nothing changed; MiB."""
_HUGE: Final = 2**41
_LONG_AGO: Final = 1_700_000_000


def main(rounds: int) -> None:
    """Measure and print.

    Args:
        rounds: measured runs where nothing changed.

    Raises:
        SystemExit: it took more than it may.
    """
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        _make(place / "ComfyUI/models")
        time.sleep(2.5)  # what changed just now is not kept
        cold = _run(place)
        warm = median([_run(place) for _ in range(rounds + 1)][1:])
    print(
        f"{FILES:,} model files, {LARGE:,} of them with {TENSORS_OF_LARGE:,} tensors, one of 2 TB"
    )
    print(f"for the first time  {cold.wall:6.2f} s, {cold.cpu:.2f} s of CPU, {cold.peak:.0f} MiB")
    print(f"nothing changed     {warm.wall:6.2f} s, {warm.cpu:.2f} s of CPU, {warm.peak:.0f} MiB")
    if cold.wall > COLD or warm.wall > WARM or max(cold.peak, warm.peak) > PEAK:
        raise SystemExit(f"more than {COLD:g} s, {WARM:g} s or {PEAK:g} MiB")


def _run(place: Path) -> Run:
    command = [sys.executable, "-m", "bench.models", str(place)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout
    told = json.loads(process.stdout.read())
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    process.stdout.close()
    if told["sound"] != FILES:
        raise SystemExit(f"not all were found sound: {told}")
    return Run(told["wall"], told["cpu"], usage.ru_maxrss / 1024)


def _look(place: Path) -> None:
    """One cycle's part, in this process; prints what it took."""
    names = {folder: tuple(_names(folder)) for folder in FOLDERS}
    inventory = Inventory(models=names)
    models.cache.program()  # a cycle has it already
    wall, cpu = time.perf_counter(), time.process_time()
    listing = model_files.look(None, inventory, place / "ComfyUI", None, [], 20)
    found = models.inspected([], listing, inventory, place / "answers", COLD, whole=True)
    took = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    assert found.marked is not None
    print(json.dumps({**took, **found.marked.counts.model_dump()}))


def _names(folder: str) -> list[str]:
    return [f"{folder}-{n % 20}/model {n}.safetensors" for n in range(FILES // len(FOLDERS))]


def _make(models_folder: Path) -> None:
    small, large = _head(TENSORS), _head(TENSORS_OF_LARGE)
    huge = _head(1, _HUGE)
    number = 0
    for folder in FOLDERS:
        for name in _names(folder):
            file = models_folder / folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            head, size = huge if number == 0 else large if number <= LARGE else small
            file.write_bytes(head)
            os.truncate(file, size)
            os.utime(file, (_LONG_AGO, _LONG_AGO))
            number += 1


def _head(tensors: int, length: int = 4096) -> tuple[bytes, int]:
    """The begin of a file with so many tensors of so many bytes, and its size."""
    entries = {
        f"model.diffusion_model.input_blocks.{n}.1.transformer_blocks.0.attn1.to_q.weight": {
            "dtype": "U8",
            "shape": [length],
            "data_offsets": [n * length, (n + 1) * length],
        }
        for n in range(tensors)
    }
    head = json.dumps(entries).encode()
    return struct.pack("<Q", len(head)) + head, 8 + len(head) + tensors * length


if __name__ == "__main__":
    _look(Path(sys.argv[1]))
