"""The answers of real ComfyUI servers, as data/README.md describes them."""

from __future__ import annotations

import json
import lzma
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

from comfywatchman.comfyui.catalog import Catalog
from comfywatchman.comfyui.inventory import Inventory

State = Literal["empty", "full"]

DATA: Final = Path(__file__).parent / "data"


@dataclass(frozen=True)
class Server:
    """One ComfyUI server whose answers were recorded.

    Attributes:
        version: its release, and the name of the folder with its answers.
    """

    version: str

    def lines(self, name: str) -> tuple[dict[str, Any], ...]:
        """The records of a ``.jsonl.xz`` file."""
        return lines(f"{self.version}/{name}")

    def read_json(self, name: str) -> Any:
        """The content of a ``.json`` file."""
        return json.loads((DATA / self.version / f"{name}.json").read_text("utf-8"))

    def object_info(self, state: State) -> dict[str, Any]:
        """What it answers to ``GET /object_info``."""
        return _object_info(self, state)

    def catalog(self, state: State) -> Catalog:
        """Its node types."""
        return _catalog(self, state)

    def inventory(self, state: State) -> Inventory:
        """Its files; in the empty state the one picture that ComfyUI comes with."""
        return _inventory(self, state)

    def inventory_with_links(self) -> Inventory:
        """Its files in the full state, and the links that some prompts name."""
        full = self.inventory("full")
        names = {"link_in.png", "link_out.png", "linkdir", "linkdir/x.png"}
        links = {
            "link_in.png": "/srv/ComfyUI/input/example.png",
            "link_out.png": "/srv/outside/x.png",
            "linkdir": "/srv/outside",
        }
        folders = {"input": "/srv/ComfyUI/input", "output": "/srv/ComfyUI/output"}
        return replace(
            full,
            files={**full.files, "input": full.files["input"] | names},
            links={"input": links},
            paths={folder: (path, path) for folder, path in folders.items()},
        )

    def prompts(self, name: str = "prompts") -> dict[tuple[str, str], dict[str, Any]]:
        """What a frontend made of each workflow, by corpus and name."""
        return {(r["corpus"], r["name"]): r["prompt"] for r in self.lines(name)}


OF_0_8: Final = Server("0.8.0")
OF_0_33: Final = Server("0.33.0")
SERVERS: Final = (OF_0_8, OF_0_33)


@cache
def lines(name: str) -> tuple[dict[str, Any], ...]:
    """The records of a ``.jsonl.xz`` file of the data folder."""
    with lzma.open(DATA / f"{name}.jsonl.xz", "rt", encoding="utf-8") as file:
        return tuple(json.loads(line) for line in file)


@cache
def _object_info(server: Server, state: State) -> dict[str, Any]:
    path = DATA / server.version / f"object_info_{state}.json.xz"
    with lzma.open(path, "rt", encoding="utf-8") as file:
        parsed: dict[str, Any] = json.load(file)
        return parsed


@cache
def _catalog(server: Server, state: State) -> Catalog:
    replacements = None
    if (DATA / server.version / "node_replacements.json").exists():
        replacements = server.read_json("node_replacements")
    return Catalog(server.object_info(state), server.version, replacements)


@cache
def _inventory(server: Server, state: State) -> Inventory:
    paths = ["input/example.png"]
    if state == "full":
        text = (DATA / server.version / "full_files.txt").read_text(encoding="utf-8")
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
