"""Packs on the disk, in Manager's list, and in both."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from comfywatchman.comfyui.provenance import manager
from comfywatchman.comfyui.provenance.knowledge import Knowledge
from comfywatchman.history.environment import packs
from comfywatchman.time_limit import Blind, Budget
from tests.standin.comfyui import recorded_manager

if TYPE_CHECKING:
    from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def project(folder: Path, name: str, version: str, more: str = "") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = f'[build-system]\nversion = "0"\n[project] # it\n name = "{name}"\nversion="{version}"\n'
    (folder / "pyproject.toml").write_text(f'{text}{more}\n[tool.comfy]\nversion = "9"\n')


def cloned(folder: Path, remote: str | None = None, commit: str = COMMIT) -> None:
    (folder / ".git").mkdir(parents=True)
    (folder / ".git/HEAD").write_text(f"{commit}\n")
    if remote is not None:
        (folder / ".git/config").write_text(f'[remote "origin"]\n\turl = {remote}\n')


def listed(**entries: dict[str, Any]) -> Knowledge:
    return Knowledge(installed=manager.listed(entries))


def test_each_way_to_install_a_pack(tmp_path: Path, budget: Budget) -> None:
    project(tmp_path / "comfyui-easy-use", "comfyui-easy-use", "1.3.6")
    cloned(tmp_path / "ComfyUI-Impact-Pack", "https://github.com/ltdrdata/ComfyUI-Impact-Pack")
    project(tmp_path / "both", "registry-id", "2.0")
    cloned(tmp_path / "both", "git@github.com:owner/both.git")
    (tmp_path / "unzipped-main").mkdir()
    (tmp_path / "unzipped-main/__init__.py").write_text("x = 1")
    (tmp_path / "single.py").write_text("x = 1")
    for name in ("__pycache__", ".git", ".idea"):
        (tmp_path / name).mkdir()
    (tmp_path / "README.md").write_text("")
    (tmp_path / "example_node.py.example").write_text("")
    assert packs.on_disk(tmp_path, budget) == {
        "comfyui-easy-use": {"id": "comfyui-easy-use", "version": "1.3.6", "enabled": True},
        "ComfyUI-Impact-Pack": {
            "id": "ltdrdata/ComfyUI-Impact-Pack",
            "commit": COMMIT,
            "enabled": True,
        },
        "both": {"id": "owner/both", "version": "2.0", "commit": COMMIT, "enabled": True},
        "unzipped-main": {"files": "3837532f7a776576", "enabled": True},
        "single": {"files": "5e69c6532707d802", "single_file": True, "enabled": True},
    }


def test_a_disabled_pack_keeps_the_name_that_it_had(tmp_path: Path, budget: Budget) -> None:
    remote = "https://github.com/cubiq/ComfyUI_essentials"
    cloned(tmp_path / ".disabled/comfyui_essentials@nightly", remote)
    cloned(tmp_path / "ComfyUI_IPAdapter_plus.disabled")
    project(tmp_path / ".disabled/comfyui-crystools@1_2_3", "comfyui-crystools", "1.2.3")
    (tmp_path / "single.py.disabled").write_text("")
    (tmp_path / ".disabled/other.py").write_text("")
    found = packs.on_disk(tmp_path, budget)
    assert {name: value["enabled"] for name, value in found.items()} == {
        "ComfyUI_essentials": False,
        "ComfyUI_IPAdapter_plus": False,
        "comfyui-crystools": False,
        "single": False,
        "other": False,
    }


def test_a_disabled_copy_beside_an_enabled_pack(tmp_path: Path, budget: Budget) -> None:
    project(tmp_path / "Easy-Use", "easy-use", "1.3.6")
    project(tmp_path / ".disabled/easy-use@1_3_5", "easy-use", "1.3.5")
    project(tmp_path / "Easy-Use.disabled", "easy-use", "1.3.4")
    found = packs.on_disk(tmp_path, budget)
    assert {name: (v["version"], v["enabled"]) for name, v in found.items()} == {
        "Easy-Use": ("1.3.6", True),
        ".disabled/easy-use@1_3_5": ("1.3.5", False),
        "Easy-Use.disabled": ("1.3.4", False),
    }


def test_a_change_of_code_without_a_version_is_seen(tmp_path: Path, budget: Budget) -> None:
    code = tmp_path / "pack/nodes/a.py"
    code.parent.mkdir(parents=True)
    code.write_text("x = 1")
    before = packs.on_disk(tmp_path, budget)
    (tmp_path / "pack/nodes/__pycache__").mkdir()
    (tmp_path / "pack/nodes/__pycache__/a.py").write_text("cache")
    (tmp_path / "pack/log.txt").write_text("a line")
    assert packs.on_disk(tmp_path, budget) == before
    code.write_text("x = 2")
    assert packs.on_disk(tmp_path, budget) != before


# Manager


@pytest.mark.parametrize("version", ["3.41", "4.3"])
def test_what_manager_lists(version: str) -> None:
    recorded = recorded_manager(version)
    answers = next(v for k, v in recorded["get"].items() if k.endswith("/customnode/installed"))
    knowledge = Knowledge(installed=manager.listed(answers["json"]))
    found = packs.packs(None, knowledge, {})
    assert found["comfyui-easy-use"] == {
        "id": "comfyui-easy-use",
        "version": "1.3.6",
        "enabled": True,
    }
    assert found["ComfyUI_IPAdapter_plus"]["enabled"] is False
    assert found["ComfyUI_IPAdapter_plus"]["id"] == "cubiq/ComfyUI_IPAdapter_plus"
    assert len(str(found["ComfyUI_IPAdapter_plus"]["commit"])) == 40


def test_the_forms_of_a_version() -> None:
    entry = {"cnr_id": "", "aux_id": "o/n", "enabled": True}
    found = packs.packs(
        None,
        listed(
            a=entry | {"ver": "1.2.3"},
            b=entry | {"ver": f"{COMMIT}\n"},
            c=entry | {"ver": "unknown"},
            d=entry | {"ver": None, "cnr_id": "n", "aux_id": None},
            e=entry | {"ver": "nightly", "cnr_id": "n"},
        ),
        {},
    )
    assert found == {
        "a": {"id": "o/n", "version": "1.2.3", "enabled": True},
        "b": {"id": "o/n", "commit": COMMIT, "enabled": True},
        "c": {"id": "o/n", "enabled": True},
        "d": {"id": "n", "enabled": True},
        "e": {"id": "o/n", "version": "nightly", "enabled": True},
    }


def test_the_disk_has_the_first_word_and_manager_fills_in() -> None:
    entry = {"ver": "1.0", "cnr_id": "from-manager", "aux_id": None, "enabled": True}
    disk = {
        "Pack_A": {"version": "2.0", "enabled": True},
        "Pack_B": {"id": "own", "enabled": True},
        "Pack_C": {"version": "3.0", "enabled": False},
    }
    found = packs.packs(
        disk, listed(**{"pack-a": entry, "pack-b": entry, "pack-c": entry, "gone": entry}), {}
    )
    assert found == {
        "Pack_A": {"id": "from-manager", "version": "2.0", "enabled": True},
        "Pack_B": {"id": "own", "version": "1.0", "enabled": True},
        "Pack_C": {"version": "3.0", "enabled": False},
    }


def test_an_enabled_pack_and_a_disabled_copy_in_managers_list() -> None:
    entry = {"ver": "1.3.6", "cnr_id": "easy-use", "aux_id": None, "enabled": True}
    copy = entry | {"ver": "1.3.5", "enabled": False}
    for entries in ({"easy-use@1_3_5": copy, "easy-use": entry}, {"easy-use": entry}):
        assert packs.packs(None, listed(**entries), {}) == {
            "easy-use": {"id": "easy-use", "version": "1.3.6", "enabled": True}
        }


# Node types and failures


def test_what_a_pack_brings(tmp_path: Path, budget: Budget) -> None:
    for name in ("Good", "Fails", "Quiet"):
        (tmp_path / name).mkdir()
    (tmp_path / "single.py").write_text("")
    knowledge = Knowledge(failures={"fails": "No module named 'gguf'", "good": None, "gone": None})
    brings = {"Good": "d1", "single": "d2", "from-elsewhere": "d3"}
    found = packs.packs(packs.on_disk(tmp_path, budget), knowledge, brings)
    assert {k: (v.get("node_types"), v.get("import_failed")) for k, v in found.items()} == {
        "Good": ("d1", False),
        "single": ("d2", False),
        "from-elsewhere": ("d3", False),
        "Fails": (None, True),
        "Quiet": (None, None),
    }


def test_a_digest_of_node_types_is_of_all_and_in_no_order() -> None:
    schemas = [("p", "A", "1"), ("p", "B", "2"), ("q", "A", "1")]
    found = packs.digests(schemas)
    assert found == packs.digests(reversed(schemas))
    assert found["p"] != found["q"]
    assert found["p"] != packs.digests([("p", "A", "1"), ("p", "B", "3")])["p"]
    assert packs.digests([("p", "\ud800", "1")])


# What cannot be read, and what means harm


def test_nobody_tells() -> None:
    for knowledge in (None, Knowledge()):
        with pytest.raises(Blind, match="no Manager"):
            packs.packs(None, knowledge, {"a": "b"})


def test_a_folder_that_cannot_be_listed(tmp_path: Path, budget: Budget) -> None:
    with pytest.raises(Blind, match="No such file"):
        packs.on_disk(tmp_path / "gone", budget)
    with pytest.raises(Blind, match="no folder can be named so"):
        packs.on_disk(tmp_path / "a\0b", budget)


def test_too_many_entries(tmp_path: Path, budget: Budget, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packs, "MOST_PACKS", 3)
    for name in "abc":
        (tmp_path / name).mkdir()
    assert len(packs.on_disk(tmp_path, budget)) == 3
    (tmp_path / "d").mkdir()
    with pytest.raises(Blind, match="more than 3 entries"):
        packs.on_disk(tmp_path, budget)


def test_the_time_is_over(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(Blind, match="did not answer"):
        packs.on_disk(tmp_path, Budget(0))


@pytest.mark.parametrize(
    "content",
    [
        b"[project]\nversion = " + b"[" * 100_000,
        b"[project]\nversion" + b".a" * 100_000 + b" = 1",
        b"[" + b"a." * 100_000 + b"a]\n",
        b"[project]\nversion = 1\nname = true",
        b'[project]\nversion = "' + b"1" * 1000 + b'"',
        b"[project]\nversion",
        b"[project]\nversions = '1'",
        b"[project]\nversion = ''",
        b"\xff\xfe\0",
        b"[project]\n" + b"#" * 300_000 + b"\nversion = '1'",
        b"version = '1'",
    ],
)
def test_a_project_file_that_makes_no_sense(tmp_path: Path, content: bytes, budget: Budget) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack/pyproject.toml").write_bytes(content)
    (found,) = packs.on_disk(tmp_path, budget).values()
    assert found.keys() == {"files", "enabled"}


def test_things_that_are_no_packs(tmp_path: Path, budget: Budget) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "gone").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / ".disabled").write_text("a file")
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack/again").symlink_to(".")
    os.mkfifo(tmp_path / "pack/pipe.py")
    (tmp_path / "pack/pyproject.toml").symlink_to("pyproject.toml")
    assert packs.on_disk(tmp_path, budget).keys() == {"pack"}


def test_names_that_nobody_can_write_down(tmp_path: Path, budget: Budget) -> None:
    (tmp_path / os.fsdecode(b"\xff\n")).mkdir()
    (tmp_path / ("x" * 250)).mkdir()
    project(tmp_path / "pack", "\u202eevil", "https://me:hunter2@host.example/x")
    found = packs.packs(packs.on_disk(tmp_path, budget), None, {"\ud800": "1"})
    str(found).encode()
    assert {"\\udcff\\n", "\\ud800"} <= found.keys()
    assert found["pack"]["id"] == "\\u202eevil"
    assert found["pack"]["version"] == "https://***@host.example/x"
    assert all(len(name) < 300 for name in found)


def test_more_code_than_is_read(
    tmp_path: Path, budget: Budget, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack/a.py").write_bytes(bytes(5 * 1024**2))
    assert packs.on_disk(tmp_path, budget) == {"pack": {"enabled": True}}
    monkeypatch.setattr(packs, "_MOST_CODE_FILES", 2)
    (tmp_path / "pack/a.py").unlink()
    for name in "abc":
        (tmp_path / f"pack/{name}.py").write_text("")
    assert packs.on_disk(tmp_path, budget) == {"pack": {"enabled": True}}
