from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from comfywatchman.comfyui.inventory import Inventory, Presence

if TYPE_CHECKING:
    from pathlib import Path

TREE = {
    "input": frozenset({"a.png", "sub", "sub/b.png", "dir.d", "dir.d/c.png", "empty"}),
    "output": frozenset({"o.png"}),
    "temp": frozenset(),
}

NAMES = [
    "a.png",
    "A.png",
    " a.png",
    "a.png ",
    "./a.png",
    "sub",
    "sub/",
    "sub/.",
    "sub//b.png",
    "sub/../a.png",
    "gone/../a.png",
    "a.png/../a.png",
    "a.png/",
    "a.png/.",
    "dir.d/c.png",
    "dir.d/../sub/b.png",
    "empty/",
    "empty/..",
    "",
    ".",
    "gone.png",
    "a.png [input]",
    "a.png[input]",
    "a.pngx[input]",
    "o.png [output]",
    "o.png [temp]",
    "o.png [Output]",
    "[input]",
    " [input]",
    "../input/a.png",
    "../output/o.png",
    "../output/gone.png",
    "../input/../output/o.png",
    "../output/../input/sub/b.png",
    "a.png\0",
    "x" * 5000,
    "sub/" * 2000 + "b.png",
    "./" * 3000 + "a.png",
    "\ud800.png",
]


@pytest.fixture(scope="module")
def comfyui(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same tree as real files."""
    root = tmp_path_factory.mktemp("ComfyUI")
    for folder, names in TREE.items():
        (root / folder).mkdir()
        for name in sorted(names):
            path = root / folder / name
            if name in {"sub", "dir.d", "empty"}:
                path.mkdir()
            else:
                path.touch()
    return root


def on_disk(comfyui: Path, value: str) -> bool:
    """What the server finds: the file system's own answer."""
    folder, name = "input", value
    for annotated in TREE:
        if value.endswith(f"[{annotated}]"):
            folder, name = annotated, value[: -len(annotated) - 3]
    return os.path.exists(os.path.join(comfyui, folder, name))  # noqa: PTH110, PTH118


@pytest.mark.parametrize("name", NAMES, ids=lambda name: repr(name[:30]))
def test_names_are_looked_up_as_the_file_system_does(comfyui: Path, name: str) -> None:
    wanted = Presence.PRESENT if on_disk(comfyui, name) else Presence.ABSENT
    assert Inventory(files=TREE).presence(name) is wanted


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "/etc/passwd [output]", "..", "../", "../../x", "sub/../../models/x"]
)
def test_what_lies_outside_is_not_looked_at(name: str) -> None:
    assert Inventory(files=TREE).presence(name) is Presence.OUTSIDE


@pytest.mark.parametrize("name", ["a.png", "", "o.png [output]", "../output/o.png"])
def test_what_was_not_listed_was_not_seen(name: str) -> None:
    assert Inventory().presence(name) is Presence.UNSEEN


def test_model_folders_are_found_by_file_name() -> None:
    inventory = Inventory(models={"checkpoints": ("a/x.ckpt", "x.ckpt"), "loras": ("b\\x.ckpt",)})
    assert inventory.folders_with("any/where/x.ckpt") == ["checkpoints", "loras"]
    assert inventory.folders_with("y.ckpt") == []
    assert Inventory().folders_with("x.ckpt") == []


def test_embeddings_that_were_not_listed_are_unknown() -> None:
    assert Inventory().has_embedding("a") is None
    assert Inventory(embeddings=frozenset()).has_embedding("a") is False
