"""The answers of a real ComfyUI 0.8.0, as data/README.md describes them."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any, Literal

from comfywatchman.comfyui.catalog import Catalog
from comfywatchman.comfyui.inventory import Inventory

State = Literal["empty", "full"]

DATA = Path(__file__).parent / "data"
VERSION = "0.8.0"


@cache
def lines(name: str) -> tuple[dict[str, Any], ...]:
    """The records of a ``.jsonl.gz`` file."""
    with gzip.open(DATA / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
        return tuple(json.loads(line) for line in file)


@cache
def object_info(state: State) -> dict[str, Any]:
    with gzip.open(DATA / f"object_info_{state}.json.gz", "rt", encoding="utf-8") as file:
        parsed: dict[str, Any] = json.load(file)
        return parsed


@cache
def catalog(state: State) -> Catalog:
    return Catalog(object_info(state), VERSION)


@cache
def prompts() -> dict[tuple[str, str], dict[str, Any]]:
    """What the frontend made of each workflow, by corpus and name."""
    return {(r["corpus"], r["name"]): r["prompt"] for r in lines("prompts")}


@cache
def inventory(state: State) -> Inventory:
    """The files the server had; in the empty state the one picture that ComfyUI comes with."""
    paths = ["input/example.png"]
    if state == "full":
        text = (DATA / "full_files.txt").read_text(encoding="utf-8")
        paths = [line.partition("\t")[0] for line in text.splitlines() if line]
    files: dict[str, set[str]] = {"input": set(), "output": set(), "temp": set()}
    models: dict[str, list[str]] = {}
    for path in paths:
        folder, *below = path.split("/")
        if folder in files:
            files[folder].update("/".join(below[:n]) for n in range(1, len(below) + 1))
        elif folder == "models":
            models.setdefault(below[0], []).append("/".join(below[1:]))
    return Inventory(
        files={folder: frozenset(names) for folder, names in files.items()},
        models={folder: tuple(names) for folder, names in models.items()},
        embeddings=frozenset(name.rpartition(".")[0] for name in models.get("embeddings", ())),
    )
