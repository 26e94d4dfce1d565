"""Where the server's model files lie: what it says, and which folders of this host those are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from comfywatchman.comfyui import model_files, model_folders
from comfywatchman.comfyui.inventory import Inventory
from comfywatchman.time_limit import Budget
from tests.standin.comfyui import Answer, StandIn, json_answer
from tests.unit.comfyui.test_model_files import saved

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.comfyui.conftest import Connect


def seen(
    inventory: Inventory, comfyui: Path, said: dict[str, list[str]], script: str
) -> dict[str, int]:
    places = model_folders.roots(said, inventory.models, comfyui, [script])
    files = model_files.listed(inventory, places, Budget(60)).files
    return {file.name: file.size for file in files}


def test_the_server_says_where_they_lie(tmp_path: Path) -> None:
    for number, folder in enumerate(("first", "second", "models/loras")):
        saved(tmp_path / folder / "a", number)
        saved(tmp_path / folder / f"{number}", number)
    inventory = Inventory(models={"loras": ("a", "0", "1", "2")})
    said = {"loras": [str(tmp_path / "first"), str(tmp_path / "second")]}
    assert seen(inventory, tmp_path, said, "/app/ComfyUI/main.py") == {"a": 0, "0": 0, "1": 1}


def test_a_server_in_a_container_calls_the_folder_by_another_name(tmp_path: Path) -> None:
    saved(tmp_path / "models/loras/a", 3)
    inventory = Inventory(models={"loras": ("a",)})
    said = {"loras": ["/app/ComfyUI/models/loras", "relative"]}
    assert seen(inventory, tmp_path, said, "/app/ComfyUI/main.py") == {"a": 3}


def test_names_as_windows_writes_them(tmp_path: Path) -> None:
    saved(tmp_path / "models/loras/sub/a", 3)
    inventory = Inventory(models={"loras": ("sub\\a",)})
    said = {"loras": ["C:\\ComfyUI\\models\\loras"]}
    assert seen(inventory, tmp_path, said, "C:\\ComfyUI\\main.py") == {"sub\\a": 3}


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
        assert model_folders.ask_folders(connect(stand_in.url)) == folders


@pytest.mark.parametrize("fault", ["404", "500", "html", "deep-json", "reset"])
def test_a_server_that_does_not_say(fault: str, connect: Connect) -> None:
    with StandIn(behaviour=f"{fault}@/experiment") as stand_in:
        client = connect(stand_in.url, read_timeout=1)
        assert model_folders.ask_folders(client) == {}
        assert len(stand_in.requests) == 1


def test_what_a_server_was_recorded_to_say(connect: Connect, tmp_path: Path) -> None:
    saved(tmp_path / "models/clip/t5.safetensors", 3, 4)
    inventory = Inventory(models={"text_encoders": ("t5.safetensors",)})
    with StandIn() as stand_in:
        client = connect(stand_in.url)
        argv = client.get_json("/system_stats")["system"]["argv"]
        said = model_folders.ask_folders(client)
    places = model_folders.roots(said, inventory.models, tmp_path, argv)
    (found,) = model_files.listed(inventory, places, Budget(60)).files
    assert (found.folder, found.name, found.size) == ("text_encoders", "t5.safetensors", 3)
