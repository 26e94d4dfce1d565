"""Reading the environment of a host with many packs and models, warm."""

from __future__ import annotations

import statistics
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comfywatchman.comfyui import files, model_files, model_folders
from comfywatchman.comfyui.catalog import Catalog
from comfywatchman.comfyui.inventory import Inventory
from comfywatchman.comfyui.provenance.knowledge import Knowledge
from comfywatchman.history.environment import reading
from comfywatchman.history.environment.sources import Sources
from comfywatchman.time_limit import Budget
from tests.standin.comfyui import recorded_node_types

if TYPE_CHECKING:
    from collections.abc import Mapping

PACKS, FILES_OF_A_PACK, MODELS, INPUTS, PACKAGES = 100, 200, 20_000, 2_000, 300
LIMIT = 1.0
"""Seconds."""
_SYSTEM = {
    "comfyui_version": "0.33.0",
    "python_version": "3.12.3 (main)",
    "pytorch_version": "2.14.1",
    "required_frontend_version": "1.49.6",
    "argv": ["main.py"],
}


def main(rounds: int) -> None:
    """Measure and print.

    Raises:
        SystemExit: it took longer than it may.
    """
    with tempfile.TemporaryDirectory() as folder:
        comfyui = Path(folder, "ComfyUI")
        sources = _host(comfyui)
        places = model_folders.roots({}, sources.inventory.models, comfyui, [])
        took = []
        for _ in range(rounds + 1):
            start = time.perf_counter()
            listing = model_files.listed(sources.inventory, places, Budget(20))
            found = reading.read(replace(sources, model_files=listing))
            took.append(time.perf_counter() - start)
    if found.blind:
        raise SystemExit(f"not all was read: {found.blind}")
    middle = statistics.median(took[1:])
    print(
        f"{PACKS} packs of {FILES_OF_A_PACK} files, {MODELS:,} models, {INPUTS:,} input files, "
        f"{PACKAGES} Python packages, {len(sources.catalog):,} node types"
    )
    print(f"the first time {took[0]:.2f} s, then {middle:.2f} s (median of {rounds})")
    if middle > LIMIT:
        raise SystemExit(f"{middle:.2f} s are more than {LIMIT:g} s")


def _host(comfyui: Path) -> Sources:
    models = {
        folder: tuple(f"sub{n % 20}/{n}.safetensors" for n in range(MODELS // 4))
        for folder in ("checkpoints", "loras", "vae", "controlnet")
    }
    for folder, names in models.items():
        for name in names:
            _empty(comfyui / "models" / folder / name)
    inputs = [f"{n}.png" for n in range(INPUTS)]
    for name in inputs:
        _empty(comfyui / "input" / name)
    site = comfyui / "venv/lib/python3.12/site-packages"
    for name in ("torch-2.14.1", *(f"package_{n}-1.{n}" for n in range(PACKAGES - 1))):
        (site / f"{name}.dist-info").mkdir(parents=True)
    _repository(comfyui)
    for n in range(PACKS):
        pack = comfyui / "custom_nodes" / f"pack-{n}"
        for number in range(FILES_OF_A_PACK):
            _empty(pack / f"nodes/{number}.py")
        (pack / "pyproject.toml").write_text(f'[project]\nname = "pack-{n}"\nversion = "1.{n}"\n')
        if n % 2:
            _repository(pack)
    return Sources(
        catalog=Catalog(recorded_node_types("full")),
        inventory=Inventory(
            files={"input": frozenset(inputs)}, models=models, embeddings=frozenset()
        ),
        digest=_digest,
        system_stats={"system": _SYSTEM},
        comfyui_dir=comfyui,
        folders=files.folders(comfyui),
        knowledge=Knowledge(),
    )


def _digest(declaration: Mapping[str, Any]) -> str:
    """No real one: what that costs is not a matter of reading."""
    return str(len(declaration))


def _empty(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()


def _repository(folder: Path) -> None:
    as_somebody = ["-c", "user.name=a", "-c", "user.email=a@b.example"]
    for said in (
        ["init", "--quiet"],
        *([["add", "nodes"]] if (folder / "nodes").exists() else []),
        [*as_somebody, "commit", "--quiet", "--allow-empty", "--message=one"],
    ):
        subprocess.run(["git", "-C", folder, *said], check=True)
