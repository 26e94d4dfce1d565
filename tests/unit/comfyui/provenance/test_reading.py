"""What is read of packs: names, maps, lists, logs, folders; whatever shape they have."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from comfywatchman.comfyui.provenance import core, failures, folder, manager, node_map
from comfywatchman.comfyui.provenance.kept_map import KeptMap
from comfywatchman.comfyui.provenance.manager import ChangeKind
from comfywatchman.comfyui.provenance.marks import marked
from comfywatchman.comfyui.provenance.node_map import NodeMap
from comfywatchman.comfyui.provenance.pack import alike, pack
from tests.standin.comfyui import recorded_manager

if TYPE_CHECKING:
    from pathlib import Path

VERSIONS = ("3.41", "4.3")


def answer(version: str, path: str, *, updated: bool = False) -> Any:
    """A recorded answer of Manager."""
    answers = recorded_manager(version)
    return answers["updated" if updated else "get"][answers["prefix"] + path]["json"]


@pytest.mark.parametrize(
    ("text", "name", "repository", "registered"),
    [
        ("comfyui-gguf", "comfyui-gguf", None, True),
        ("city96/ComfyUI-GGUF", "ComfyUI-GGUF", "https://github.com/city96/ComfyUI-GGUF", False),
        (
            "https://github.com/city96/ComfyUI-GGUF.git",
            "ComfyUI-GGUF",
            "https://github.com/city96/ComfyUI-GGUF",
            False,
        ),
        ("git@github.com:a/b.git", "b", "https://github.com/a/b", False),
        ("https://gist.githubusercontent.com/a/1/raw/2/nodes.py", "nodes.py", None, False),
        ("https://git.example.org/a/b?x=1;rm -rf", "b?x=1;rm -rf", None, False),
    ],
)
def test_a_pack_is_known_by_any_of_its_names(
    text: str, name: str, repository: str | None, registered: bool
) -> None:
    found = pack(text)
    assert found is not None
    assert (found.name, found.repository, found.registered) == (name, repository, registered)


def test_what_names_no_pack() -> None:
    for text in (None, 5, [], {}, "", "  ", "/", "x" * 301):
        assert pack(text) is None, text
    for text in ("a; b", "$(x)", "-rf", "a/../b", "https://github.com/a/b;c", "a/b c"):
        found = pack(text)
        assert found is None or found.command is None, text


def test_spellings_of_one_pack_are_alike() -> None:
    for one, other in (
        ("ComfyUI_IPAdapter_plus", "comfyui-ipadapter-plus"),
        ("ComfyUI-Florence2-main", "ComfyUI-Florence2"),
        ("single_file.py", "single-file"),
        ("rgthree-comfy.git", "rgthree-comfy"),
    ):
        assert alike(one) == alike(other)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_recorded_node_map(version: str) -> None:
    read = NodeMap(answer(version, "/customnode/getmappings?mode=local"))
    assert [p.name for p in read.packs("UnetLoaderGGUF")] == ["ComfyUI-GGUF"]
    assert [p.name for p in read.packs("Anything [Crystools]")] == ["ComfyUI-Crystools"]
    assert [p.name for p in read.packs("DF_Anything")] == ["Derfuu_ComfyUI_ModdedNodes"]
    assert [p.name for p in read.packs("Thing (rgthree)")] == ["rgthree-comfy"]
    assert read.packs("AddNoise")[0].is_comfyui
    assert read.packs("NeverHeardOf") == ()


def test_a_pack_with_precedence_is_the_only_one() -> None:
    read = NodeMap(
        {
            "https://github.com/a/one": [["X", "Y"], {}],
            "two": [["X"], {"preemptions": ["X"]}],
            "https://github.com/a/One": [["Y"], {}],
        }
    )
    assert [p.name for p in read.packs("X")] == ["two"]
    assert [p.name for p in read.packs("Y")] == ["one"]


def test_patterns_are_understood_as_plain_text_at_an_end_or_not_at_all() -> None:
    patterns = {
        r"^ttN ": ("ttN x", True),
        r" \(rgthree\)$": ("x (rgthree)", True),
        r"Inspire$": ("x Inspire", True),
        r"^A\.b$": ("A.b", True),
        r"^(a+)+$": ("a" * 50 + "!", False),
        r"Smart": ("Smart", False),
        r"^x": ("x1", False),
        r".*": ("x", False),
        r"^\w+$": ("ww", False),
        r"^": ("x", False),
        r"(": ("(", False),
    }
    for pattern, (name, known) in patterns.items():
        read = NodeMap({"https://github.com/a/b": [["Other"], {"nodename_pattern": pattern}]})
        assert bool(read.packs(name)) is known, pattern


HOSTILE: list[Any] = [
    None,
    5,
    "x",
    [],
    {},
    {"": [["X"], {}]},
    {"a": None, "b": [], "c": [None], "d": ["X"], "e": [[None, 5, "", "x" * 999]], "f": [["X"], 5]},
    {"a": [["X"], {"preemptions": "X", "nodename_pattern": 5}]},
    {"a": {"ver": [], "cnr_id": 5, "aux_id": {}, "enabled": "no"}, "x" * 999: {}, "b": []},
    {"a\x1b": {"ver": "\x1b", "cnr_id": "\ud800", "aux_id": "\ud800/x", "enabled": None}},
    {"entries": [None, 5, {"m": 5}, {"m": "Cannot import "}, {"m": "(IMPORT FAILED): "}]},
    {"entries": {"m": "x"}},
]


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_no_shape_does_harm(value: Any) -> None:
    NodeMap(value).packs("X")
    entries = manager.listed(value) or []
    for entry in entries:
        assert entry.keys
    manager.changes(entries, [])
    manager.changes([], entries)
    failures.from_entries(value)


def test_what_is_large_or_deep_is_read_in_no_time() -> None:
    begun = time.process_time()
    assert node_map.parse(b"[" * 2_000_000) is None
    assert node_map.parse(b"\x00" * 1_000_000) is None
    NodeMap({f"https://github.com/a/b{i}": [["X"], {}] for i in range(60_000)}).packs("X")
    NodeMap({"a": [[str(i) for i in range(600_000)], {}]})
    failures.from_log("Cannot import " * 200_000 + "\x1b[" * 200_000)
    failures.from_log("Cannot import x module for custom nodes: y\n" * 200_000)
    manager.listed({str(i): {} for i in range(100_000)})
    assert time.process_time() - begun < 20


def test_the_recorded_lists_of_installed_packs() -> None:
    for version in VERSIONS:
        entries = manager.listed(answer(version, "/customnode/installed"))
        assert entries is not None
        by_key = {(alike(e.folder), e.enabled): e for e in entries}
        assert not by_key["comfyui-crystools", False].enabled
        assert by_key["comfyui-ipadapter-plus", False].folder == "ComfyUI_IPAdapter_plus"
        assert "comfyui-videohelpersuite" in by_key["comfyui-videohelpersuite", True].keys
        assert ("comfyui-easy-use", True) in by_key


def test_the_recorded_changes_since_the_server_was_started() -> None:
    for version in VERSIONS:
        now = manager.listed(answer(version, "/customnode/installed", updated=True))
        then = manager.listed(answer(version, "/customnode/installed?mode=imported", updated=True))
        assert now is not None
        assert then is not None
        found = {key: (c.kind, c.before, c.after) for key, c in manager.changes(now, then).items()}
        assert found == {
            "comfyui-custom-scripts": (ChangeKind.UPDATED, "1.2.5", "1.2.6"),
            "comfyui-kjnodes": (ChangeKind.UPDATED, "b46ebb8", "1661bc2"),
            "added-later": (ChangeKind.ADDED, None, "d16e16b"),
            "comfyui-essentials": (ChangeKind.DISABLED, "b321aa6", None),
            "efficiency-nodes-comfyui": (ChangeKind.REMOVED, "1.0.9", None),
        }
        same = manager.listed(answer(version, "/customnode/installed"))
        imported = manager.listed(answer(version, "/customnode/installed?mode=imported"))
        assert manager.changes(same or [], imported or []) == {}


RECORDED_FAILURES = {
    "broken-import-git": (
        "ImportError: cannot import name 'NoSuchLayer' from 'torch.nn' "
        "(/srv/venv/lib/python3.11/site-packages/torch/nn/__init__.py)"
    ),
    "broken-import-registry": (
        "ModuleNotFoundError: No module named 'a_module_that_is_not_installed'"
    ),
    "broken-import-plain": "invalid syntax (__init__.py, line 1)",
    "broken-single-file": "ModuleNotFoundError: No module named 'another_missing_module'",
    "comfyui-gguf": "ModuleNotFoundError: No module named 'gguf'",
    "no-mappings": "it has no NODE_CLASS_MAPPINGS or comfy_entrypoint (need one)",
}


def test_the_recorded_logs() -> None:
    for version in VERSIONS:
        raw = recorded_manager(version)["get"]["/internal/logs/raw"]["json"]
        assert failures.from_entries(raw) == RECORDED_FAILURES
        whole = "".join(entry["m"] for entry in raw["entries"])
        pieces = {"entries": [{"t": "", "m": piece} for piece in whole]}
        assert failures.from_entries(pieces) == RECORDED_FAILURES
        table = whole[whole.index("(IMPORT FAILED)") :]
        assert failures.from_log(table) == dict.fromkeys(sorted(RECORDED_FAILURES))


def test_a_file_of_comfyui_itself_is_no_pack() -> None:
    line = "Cannot import /srv/ComfyUI/comfy_extras/nodes_x.py module for custom nodes: no\n"
    assert failures.from_log(line) == {}
    assert failures.from_log("Cannot import C:\\\\x\\\\My_Pack module for custom nodes: no\n") == {
        "my-pack": "no"
    }


def test_the_folder_of_packs(tmp_path: Path) -> None:
    assert folder.look(tmp_path / "gone") is None
    (tmp_path / ".disabled" / "comfyui-crystools@nightly").mkdir(parents=True)
    for name in ("Some_Pack", "off.disabled", "__pycache__", ".git", "ComfyUI-Manager"):
        (tmp_path / name).mkdir()
    (tmp_path / "single.py").touch()
    seen = folder.look(tmp_path)
    assert seen is not None
    assert seen.enabled == {"some-pack", "single", "comfyui-manager"}
    assert seen.disabled == {"comfyui-crystools", "off"}
    assert folder.read_map(seen) is None
    file = tmp_path / "ComfyUI-Manager" / "extension-node-map.json"
    file.write_text(json.dumps({"https://github.com/a/b": [["X"], {}]}))
    read = folder.read_map(seen)
    assert read is not None
    assert [p.name for p in read.packs("X")] == ["b"]


def test_a_hostile_file_in_managers_folder_does_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    itself = tmp_path / "ComfyUI-Manager"
    itself.mkdir()
    file = itself / "extension-node-map.json"
    seen = folder.look(tmp_path)
    assert seen is not None
    for content in (b"", b"[]", b"{}", b"[" * 100_000, b"\xff" * 100):
        file.write_bytes(content)
        assert folder.read_map(seen) is None
    content = json.dumps({"https://github.com/a/b": [["X"], {}]})
    file.write_text(content)
    assert folder.read_map(seen) is not None
    monkeypatch.setattr(node_map, "MOST_BYTES", len(content))
    file.write_text(content + " ")
    assert folder.read_map(seen) is None
    file.unlink()
    os.mkfifo(file)
    assert folder.read_map(seen) is None
    file.unlink()
    file.symlink_to("/dev/zero")
    assert folder.read_map(seen) is None
    assert folder.read_log(tmp_path) == {}
    (tmp_path / "comfyui.log").symlink_to("/dev/zero")
    assert folder.read_log(tmp_path) == {}


def test_the_log_in_the_user_folder(tmp_path: Path) -> None:
    log = "x\nCannot import /srv/x/Pack_One module for custom nodes: \x1b[1mno\x1b[0m\n"
    (tmp_path / "comfyui.log").write_bytes(log.encode() + b"\xff\xfe")
    assert folder.read_log(tmp_path) == {"pack-one": "no"}


def test_a_password_in_an_error_is_not_shown() -> None:
    line = "Cannot import /x/Pack module for custom nodes: no https://me:geheim@host/x for http://t@h\n"
    assert failures.from_log(line) == {"pack": "no https://…@host/x for http://…@h"}
    assert failures.last_line("x\nError: ftp://a:b@c") == "Error: ftp://…@c"
    assert "geheim" not in str(failures.last_line("x" * 490 + " ftp://geheim:" + "b" * 50 + "@c"))


def test_the_last_line_of_a_traceback() -> None:
    posted = recorded_manager("4.3")["post"]["reloaded"]
    question = json.dumps({"url": "https://github.com/city96/ComfyUI-GGUF"})
    message = posted[question]["json"]["msg"]
    assert failures.last_line(message) == "ModuleNotFoundError: No module named 'gguf'"
    assert failures.last_line(" \n") is None


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("Power Lora Loader (rgthree)", "rgthree-comfy"),
        ("ShowText|pysssss", "ComfyUI-Custom-Scripts"),
        ("VHS_VideoCombine", "ComfyUI-VideoHelperSuite"),
        ("easy showAnything", "ComfyUI-Easy-Use"),
        ("ImpactSwitch", "ComfyUI-Impact-Pack"),
        ("IPAdapterApply", "ComfyUI_IPAdapter_plus"),
        ("KSampler (Efficient)", "efficiency-nodes-comfyui"),
        ("ImageResize+", "ComfyUI_essentials"),
        ("KSampler", None),
        ("+", None),
        ("", None),
    ],
)
def test_marks_in_names(name: str, owner: str | None) -> None:
    found = marked(name)
    assert (found.name if found else None) == owner


def test_comfyuis_own_node_types() -> None:
    assert core.core_type("KSampler") is not None
    assert core.core_type("VHS_VideoCombine") is None
    kling = core.core_type("KlingCameraControls")
    assert kling is not None
    assert (kling.absence("0.8.0"), kling.absence("0.33.0")) == (
        core.Absence.NOT_LOADED,
        core.Absence.GONE,
    )
    assert core.release("0.33.0-3-gabc") == (0, 33, 0)
    assert core.release("unknown") is None


def test_a_kept_map_is_used_whole_of_the_same_edition_and_for_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = KeptMap(tmp_path / "node-map.cache")
    assert kept.read("one") is None
    kept.write("one", b"{}\n{}")
    assert kept.read("one") == b"{}\n{}"
    assert kept.read("two") is None
    now = time.time()
    for later in (25 * 3600, -3600):
        monkeypatch.setattr(time, "time", lambda later=later: now + later)
        assert kept.read("one") is None
    monkeypatch.undo()
    file = tmp_path / "node-map.cache"
    assert file.stat().st_mode & 0o77 == 0
    for damage in (b"", b"\n", b"x y\n{}", file.read_bytes()[:-1], b"9" * 5_000 + b" x\n"):
        file.write_bytes(damage)
        assert kept.read("one") is None
    KeptMap(tmp_path / "no folder" / "x").write("one", b"{}")
