"""Model, embedding and input files: what the server lists, and what is seen of it on the disk."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from comfywatchman.comfyui import model_files, model_folders
from comfywatchman.comfyui.inventory import Inventory
from comfywatchman.history.environment import input_files, models
from comfywatchman.time_limit import Blind, Budget

if TYPE_CHECKING:
    from pathlib import Path


def saved(file: Path, size: int, modified: float) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(bytes(size))
    os.utime(file, (0, modified))


def seen(inventory: Inventory, comfyui: Path, budget: Budget) -> object:
    places = model_folders.roots({}, inventory.models, comfyui, [])
    listing = model_files.listed(inventory, places, budget)
    return models.seen(models.models(inventory), listing)


def test_size_and_time_where_the_disk_is_seen(tmp_path: Path, budget: Budget) -> None:
    saved(tmp_path / "models/loras/sub/a.safetensors", 5, 1_700_000_000.75)
    saved(tmp_path / "models/clip/b.safetensors", 6, 1)
    saved(tmp_path / "models/loras/not listed", 7, 1)
    inventory = Inventory(
        models={
            "loras": ("sub/a.safetensors", "gone.safetensors"),
            "text_encoders": ("b.safetensors",),
            "empty": (),
        }
    )
    assert seen(inventory, tmp_path, budget) == {
        "loras/sub/a.safetensors": {"size": 5, "modified": 1_700_000_000},
        "loras/gone.safetensors": {},
        "text_encoders/b.safetensors": {"size": 6, "modified": 1},
    }


def test_without_the_disk_the_names_are_known() -> None:
    inventory = Inventory(models={"loras": ("a",)}, embeddings=frozenset({"x"}))
    assert models.seen(models.models(inventory), model_files.Listing()) == {"loras/a": {}}
    assert models.seen(models.embeddings(inventory), model_files.Listing()) == {"x": {}}


def test_embeddings_are_facts_of_their_own(tmp_path: Path, budget: Budget) -> None:
    saved(tmp_path / "models/embeddings/sub/x.v2.pt", 4, 4)
    inventory = Inventory(
        models={"embeddings": ("sub/x.v2.pt",)}, embeddings=frozenset({"sub/x.v2", "elsewhere"})
    )
    places = model_folders.roots({}, inventory.models, tmp_path, [])
    listing = model_files.listed(inventory, places, budget)
    assert models.models(inventory) == {}
    assert models.seen(models.embeddings(inventory), listing) == {
        "sub/x.v2": {"size": 4, "modified": 4},
        "elsewhere": {},
    }


def test_what_the_server_does_not_list() -> None:
    with pytest.raises(Blind, match="model files"):
        models.models(Inventory())
    with pytest.raises(Blind, match="embeddings"):
        models.embeddings(Inventory())
    assert models.models(Inventory(models={"embeddings": ("x.pt",)})).keys() == {"embeddings/x.pt"}


@pytest.mark.parametrize("name", ["\0", "\ud800", "x" * 5000, "../../../etc", "", ".", "pipe"])
def test_names_that_mean_harm(tmp_path: Path, name: str, budget: Budget) -> None:
    (tmp_path / "models/loras").mkdir(parents=True)
    os.mkfifo(tmp_path / "models/loras/pipe")
    inventory = Inventory(models={"loras": (name,)})
    found = seen(inventory, tmp_path, budget)
    assert isinstance(found, dict)
    assert list(found.values()) == [{}]
    json.dumps(found, ensure_ascii=False).encode()


def test_a_folder_that_was_not_seen_leaves_all_models_out(tmp_path: Path) -> None:
    inventory = Inventory(models={"loras": ("a",), "embeddings": ("x.pt",)}, embeddings=frozenset())
    places = model_folders.roots({}, inventory.models, tmp_path, [])
    listing = model_files.listed(inventory, places, Budget(0))
    with pytest.raises(Blind, match="did not answer"):
        models.seen(models.models(inventory), listing)
    assert models.seen(models.embeddings(inventory), listing) == {}


# Input files


def test_input_files(tmp_path: Path, budget: Budget) -> None:
    saved(tmp_path / "a.png", 5, 1_700_000_000)
    saved(tmp_path / "sub/b.png", 6, 7)
    (tmp_path / "link.png").symlink_to("a.png")
    os.mkfifo(tmp_path / "pipe")
    names = frozenset({"a.png", "sub", "sub/b.png", "link.png", "pipe", "gone", "\0", "\udcff"})
    assert input_files.input_files(names, tmp_path, budget) == {
        "a.png": {"size": 5, "modified": 1_700_000_000},
        "sub/b.png": {"size": 6, "modified": 7},
        "link.png": {"size": 5, "modified": 1_700_000_000},
    }


def test_an_input_folder_that_is_not_seen(
    tmp_path: Path, budget: Budget, monkeypatch: pytest.MonkeyPatch
) -> None:
    for names, folder in ((None, tmp_path), (frozenset(), None)):
        with pytest.raises(Blind, match="not to be seen"):
            input_files.input_files(names, folder, budget)
    with pytest.raises(Blind, match="did not answer"):
        input_files.input_files(frozenset("a"), tmp_path, Budget(0))
    monkeypatch.setattr(input_files, "MOST_FILES", 1)
    with pytest.raises(Blind, match="more than 1 entries"):
        input_files.input_files(frozenset("ab"), tmp_path, budget)
