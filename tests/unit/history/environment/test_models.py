"""Model, embedding and input files: what the server lists, and what is seen of it on the disk."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from comfywatchman.comfyui.inventory import Inventory
from comfywatchman.history.environment import input_files, models
from comfywatchman.history.environment.budget import Blind, Budget
from tests.standin.comfyui import Answer, StandIn, json_answer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.comfyui.conftest import Connect


def saved(file: Path, size: int, modified: float) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(bytes(size))
    os.utime(file, (0, modified))


def seen(inventory: Inventory, comfyui: Path, budget: Budget, **said: list[str]) -> object:
    names = models.models(inventory)
    places = models.roots(said, inventory.models, comfyui, ["/app/ComfyUI/main.py"])
    return models.seen(names, places, budget)


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


def test_the_server_says_where_they_lie(tmp_path: Path, budget: Budget) -> None:
    for number, folder in enumerate(("first", "second", "models/loras")):
        saved(tmp_path / folder / "a", number, number)
        saved(tmp_path / folder / f"{number}", number, number)
    inventory = Inventory(models={"loras": ("a", "0", "1", "2")})
    folders = [str(tmp_path / "first"), str(tmp_path / "second")]
    assert seen(inventory, tmp_path, budget, loras=folders) == {
        "loras/a": {"size": 0, "modified": 0},
        "loras/0": {"size": 0, "modified": 0},
        "loras/1": {"size": 1, "modified": 1},
        "loras/2": {},
    }


def test_a_server_in_a_container_calls_the_folder_by_another_name(
    tmp_path: Path, budget: Budget
) -> None:
    saved(tmp_path / "models/loras/a", 3, 3)
    inventory = Inventory(models={"loras": ("a",)})
    found = seen(inventory, tmp_path, budget, loras=["/app/ComfyUI/models/loras", "relative"])
    assert found == {"loras/a": {"size": 3, "modified": 3}}


def test_names_as_windows_writes_them(tmp_path: Path, budget: Budget) -> None:
    saved(tmp_path / "models/loras/sub/a", 3, 3)
    inventory = Inventory(models={"loras": ("sub\\a",)})
    places = models.roots(
        {"loras": ["C:\\ComfyUI\\models\\loras"]},
        inventory.models,
        tmp_path,
        ["C:\\ComfyUI\\main.py"],
    )
    assert models.seen(models.models(inventory), places, budget) == {
        "loras/sub\\a": {"size": 3, "modified": 3}
    }


def test_without_the_disk_the_names_are_known(budget: Budget) -> None:
    inventory = Inventory(models={"loras": ("a",)}, embeddings=frozenset({"x"}))
    assert models.seen(models.models(inventory), {}, budget) == {"loras/a": {}}
    assert models.seen(models.embeddings(inventory), {}, budget) == {"x": {}}


def test_embeddings_are_facts_of_their_own(tmp_path: Path, budget: Budget) -> None:
    saved(tmp_path / "models/embeddings/sub/x.v2.pt", 4, 4)
    inventory = Inventory(
        models={"embeddings": ("sub/x.v2.pt",)}, embeddings=frozenset({"sub/x.v2", "elsewhere"})
    )
    places = models.roots({}, inventory.models, tmp_path, [])
    assert models.models(inventory) == {}
    assert models.seen(models.embeddings(inventory), places, budget) == {
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


def test_too_many_and_too_slow(monkeypatch: pytest.MonkeyPatch, budget: Budget) -> None:
    names = models.models(Inventory(models={"loras": ("a", "b")}))
    with pytest.raises(Blind, match="did not answer"):
        models.seen(names, {}, Budget(0))
    monkeypatch.setattr(models, "MOST_FILES", 1)
    with pytest.raises(Blind, match="more than 1 files"):
        models.seen(names, {}, budget)


@pytest.mark.parametrize(
    ("answer", "folders"),
    [
        (
            [{"name": "loras", "folders": ["/a", 1, "/b"]}, {"name": 1}, 3, {"name": "x"}],
            {"loras": ["/a", "/b"], "x": []},
        ),
        ({"loras": []}, {}),
        (None, {}),
    ],
)
def test_asking_where_they_lie(
    answer: object, folders: dict[str, list[str]], connect: Connect
) -> None:
    def give(method: str, path: str, body: bytes) -> Answer | None:
        return json_answer(answer) if path == "/experiment/models" else None

    with StandIn(posts=give) as stand_in:
        assert models.ask_folders(connect(stand_in.url)) == folders


@pytest.mark.parametrize("fault", ["404", "500", "html", "deep-json", "reset"])
def test_a_server_that_does_not_say(fault: str, connect: Connect) -> None:
    with StandIn(behaviour=f"{fault}@/experiment") as stand_in:
        client = connect(stand_in.url, read_timeout=1)
        assert models.ask_folders(client) == {}
        assert len(stand_in.requests) == 1


def test_what_a_server_was_recorded_to_say(
    connect: Connect, tmp_path: Path, budget: Budget
) -> None:
    saved(tmp_path / "models/clip/t5.safetensors", 3, 4)
    inventory = Inventory(models={"text_encoders": ("t5.safetensors",)})
    with StandIn() as stand_in:
        client = connect(stand_in.url)
        argv = client.get_json("/system_stats")["system"]["argv"]
        said = models.ask_folders(client)
    places = models.roots(said, inventory.models, tmp_path, argv)
    assert models.seen(models.models(inventory), places, budget) == {
        "text_encoders/t5.safetensors": {"size": 3, "modified": 4}
    }


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
