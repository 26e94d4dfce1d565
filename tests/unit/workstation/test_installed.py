"""What is installed already is read from root's notes, or from the home of the one who called."""

from __future__ import annotations

import json
import os
from pathlib import Path

from comfywatchman.workstation import installed
from comfywatchman.workstation.installed import Installation

URL = "http://127.0.0.1:8000"


def lay_out(home: Path, name: str = "comfywatchman") -> tuple[Path, Path]:
    root, config = home / ".local/share" / name, home / ".config" / name
    (root / "releases/1").mkdir(parents=True)
    (root / "current").symlink_to("releases/1")
    config.mkdir(parents=True)
    settings = f'comfyui_url = "{URL}"\ncomfyui_dir = "/srv/Comfy UI"\n'
    (config / "config.toml").write_text(settings)
    return root, config


def test_an_installation_is_found_with_its_settings(tmp_path: Path) -> None:
    home, records = tmp_path / "anna", tmp_path / "records"
    assert installed.find("anna", home, records) == []
    usual, gpu1 = lay_out(home), lay_out(home, "comfywatchman-gpu1")
    (home / ".local/share/comfywatchman-data").mkdir()  # no release is active there
    found = {each.instance: each for each in installed.find("anna", home, records)}
    folder = Path("/srv/Comfy UI")
    assert found == {
        "": Installation("", "anna", "user", False, *usual, folder, URL),
        "gpu1": Installation("gpu1", "anna", "user", False, *gpu1, folder, URL),
    }
    assert found["gpu1"].program == gpu1[0] / "comfywatchman"

    records.mkdir()
    noted = {"user": "ben", "scope": "system", "paths": {"root": "/opt/c", "config": "/etc/c"}}
    (records / "installation.json").write_text(json.dumps(noted))
    found = {each.instance: each for each in installed.find("anna", home, records)}
    assert found[""] == Installation("", "ben", "system", True, Path("/opt/c"), Path("/etc/c"))
    assert found["gpu1"].user == "anna"


def test_what_is_damaged_is_passed_over(tmp_path: Path) -> None:
    records = tmp_path / "records"
    records.mkdir()
    for number, text in enumerate(("", "[]", "{", "[" * 100_000, '{"paths": 7}')):
        (records / f"installation-{number}.json").write_text(text)
    (records / "other.json").write_text("{}")
    (records / "installation-x.json").mkdir()
    _, config = lay_out(tmp_path)
    (config / "config.toml").write_text("comfyui_dir = 7\n")
    [found] = installed.find("anna", tmp_path, records)
    assert (found.folder, found.url) == (None, None)
    (config / "config.toml").write_bytes(b"\xff")
    assert len(installed.find("anna", tmp_path, records)) == 1


def test_a_note_of_somebody_elses_hides_nobodys_own(tmp_path: Path) -> None:
    home, records = tmp_path / "bob", tmp_path / "records"
    own = lay_out(home)
    records.mkdir()
    noted = {"user": "anna", "scope": "user", "paths": {"root": "/a/c", "config": "/a/e"}}
    (records / "installation.json").write_text(json.dumps(noted))
    found = installed.find("bob", home, records)
    bobs = Installation("", "bob", "user", False, *own, Path("/srv/Comfy UI"), URL)
    annas = Installation("", "anna", "user", True, Path("/a/c"), Path("/a/e"))
    assert sorted(found, key=lambda each: each.user) == [annas, bobs]
    assert installed.concerned(found, "bob", others=False) == [bobs]
    assert installed.concerned(found, "anna", others=False) == [annas]
    assert installed.concerned(found, "carla", others=False) == []
    assert installed.concerned(found, "bob", others=True) == [bobs]
    assert installed.concerned(found, "root", others=True) == [annas]


def test_an_address_that_no_cycle_would_take_is_not_kept(tmp_path: Path) -> None:
    _, config = lay_out(tmp_path)
    (config / "config.toml").write_text('comfyui_url = "http://anna:s3cret@127.0.0.1:8188"\n')
    [found] = installed.find("anna", tmp_path, tmp_path / "none")
    assert found.url is None


def test_no_pipe_is_waited_for(tmp_path: Path) -> None:
    records = tmp_path / "records"
    records.mkdir()
    os.mkfifo(records / "installation.json")
    _, config = lay_out(tmp_path)
    (config / "config.toml").unlink()
    os.mkfifo(config / "config.toml")
    [found] = installed.find("anna", tmp_path, records)
    assert (found.folder, found.url) == (None, None)
