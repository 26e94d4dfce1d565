"""The model files of a host: found once each, whatever lies there, and whatever hangs."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from comfywatchman.comfyui import model_files
from comfywatchman.comfyui.inventory import Inventory
from comfywatchman.time_limit import Budget

if TYPE_CHECKING:
    from pathlib import Path


def saved(file: Path, size: int, modified: float = 1) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(bytes(size))
    os.utime(file, (0, modified))


def listed(folder: Path, *names: str) -> list[model_files.ModelFile]:
    inventory = Inventory(models={"loras": names})
    return list(model_files.listed(inventory, {"loras": [folder]}, Budget(60)).files)


def test_what_is_known_of_a_file(tmp_path: Path) -> None:
    saved(tmp_path / "sub/a", 5, 1_700_000_000.5)
    status = (tmp_path / "sub/a").stat()
    (found,) = listed(tmp_path, "sub/a", "gone")
    assert found == model_files.ModelFile(
        "loras",
        "sub/a",
        str(tmp_path / "sub/a"),
        5,
        1_700_000_000_500_000_000,
        status.st_ctime_ns,
        status.st_dev,
        status.st_ino,
    )


def test_what_stands_in_the_place_of_a_file(tmp_path: Path) -> None:
    saved(tmp_path / "a", 5)
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "dangling").symlink_to("gone")
    os.mkfifo(tmp_path / "pipe")
    found = {
        file.name: (file.size, file.is_file)
        for file in listed(tmp_path, "link", "dangling", "folder", "pipe")
    }
    assert found["link"] == (5, True)
    assert [found[name][1] for name in ("dangling", "folder", "pipe")] == [False] * 3


def test_the_server_takes_the_first_file_and_no_dead_link(tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    (tmp_path / "first/a").symlink_to("gone")
    saved(tmp_path / "second/a", 2)
    saved(tmp_path / "third/a", 3)
    places = {"loras": [tmp_path / name for name in ("first", "second", "third")]}
    (found,) = model_files.listed(Inventory(models={"loras": ("a",)}), places, Budget(60)).files
    assert found.path == str(tmp_path / "second/a")


@pytest.mark.parametrize(
    "name", ["\0", "\ud800", "x" * 5000, "../a", "sub/../../a", "..\\a", "a/b", "n" * 256]
)
def test_names_that_mean_harm(tmp_path: Path, name: str) -> None:
    saved(tmp_path / "a", 1)
    (tmp_path / "loras").mkdir()
    assert listed(tmp_path / "loras", name) == []


def test_without_the_folder_nothing_is_seen(tmp_path: Path) -> None:
    inventory = Inventory(models={"loras": ("a",)})
    assert model_files.look(None, inventory, None, None, [], 60) == model_files.Listing()
    found = model_files.look(None, inventory, tmp_path, None, [], 60)
    assert (found.files, found.blind) == ((), {})
    assert found.places == {"loras": [tmp_path / "models/loras"]}


def test_a_folder_that_hangs_is_named_and_those_beside_it_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(tmp_path / "loras/a", 1)
    answers, stat = threading.Event(), os.stat

    def slow(path: str) -> os.stat_result:
        if "/vae/" in str(path):
            answers.wait(60)
        return stat(path)

    monkeypatch.setattr(os, "stat", slow)
    inventory = Inventory(models={"vae": ("v",), "loras": ("a",)})
    places = {name: [tmp_path / name] for name in inventory.models}
    found = model_files.listed(inventory, places, Budget(0.2))
    answers.set()
    assert [file.name for file in found.files] == ["a"]
    assert found.blind.keys() == {"vae"}
    assert "did not answer within 0.2 s" in found.blind["vae"]


def test_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_files, "MOST_FILES", 1)
    inventory = Inventory(models={"loras": ("a", "b")})
    found = model_files.listed(inventory, {"loras": [tmp_path]}, Budget(60))
    assert (found.files, list(found.blind)) == ((), ["loras"])
    assert "more than 1 model files" in found.blind["loras"]
