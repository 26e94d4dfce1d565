"""Bills that others wrote: damaged, huge, or hostile ones are refused in a sentence."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from comfywatchman.bom import file
from comfywatchman.bom.checking import compare
from comfywatchman.errors import ConfigError
from tests.unit.bom import worlds

if TYPE_CHECKING:
    from pathlib import Path


def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(worlds.made().model_dump_json())
    return found


def test_one_of_a_later_program_is_read_with_what_is_known_of_it(tmp_path: Path) -> None:
    later = document()
    later["signature"] = {"by": "anna"}
    later["node_types"][0]["licence"] = "MIT"
    del later["node_types"][0]["unlisted"]
    (tmp_path / "bill.json").write_text(json.dumps(later))
    assert file.read(tmp_path / "bill.json") == worlds.made().model_copy(
        update={"generated_at": file.read(tmp_path / "bill.json").generated_at}
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema_version": 2}, "has schema_version 2"),
        ({"schema_version": "1"}, "(schema_version: "),
        ({"schema_version": 10**400}, "has schema_version 1000"),
        ({"format": "x"}, "is no bill of materials of ComfyWatchman (format)"),
        ({"models": None}, "is damaged (models: "),
        ({"models": [{"name": 3}]}, "is damaged (models.0.name: "),
        ({"models": [{"name": "x", "sha256": "g" * 64}]}, "is damaged (models.0.sha256: "),
        ({"models": [{"name": "x", "size": -1}]}, "is damaged (models.0.size: "),
        ({"models": [{}] * 10_001}, "is damaged (models: more than 10,000 entries)"),
        ({"node_types": [{"name": "x", "given": {"a\n\x1b[2J": "y"}}]}, "given.a\\n\\x1b[2J: "),
        ({"generated_at": "soon"}, "is damaged (generated_at: "),
    ],
)
def test_a_wrong_key_is_named(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    path = tmp_path / "bill\n.json"
    path.write_text(json.dumps({**document(), **change}))
    with pytest.raises(ConfigError) as refused:
        file.read(path)
    assert said in str(refused.value)
    assert "bill\\n.json" in str(refused.value)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 800


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "is not JSON"),
        (b"[]", "is no bill"),
        (b"[" * 100_000, "is not JSON"),
        (b'{"format": "comfywatchman-bom", "x": ' + b"[" * 80 + b"]" * 80 + b"}", "is nested"),
        (b"[" + b"0," * 17_000_000 + b"0]", "larger|holds more than|cannot be read"),
        (b"\xff\xfe", "is not JSON"),
    ],
)
def test_what_is_no_bill_is_refused(tmp_path: Path, raw: bytes, said: str) -> None:
    (tmp_path / "bill").write_bytes(raw)
    with pytest.raises(ConfigError) as refused:
        file.read(tmp_path / "bill")
    assert any(each in str(refused.value) for each in said.split("|"))


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "bill")
    with pytest.raises(ConfigError, match="cannot be read"):
        file.read(tmp_path / "bill")


def test_hostile_content_is_told_in_visible_lines(tmp_path: Path) -> None:
    evil = "\n\x1b[2J\u202e\ud800" * 20
    hostile = document()
    hostile["host"] = hostile["workflow"]["name"] = hostile["comfyui"]["version"] = evil
    hostile["node_types"] = [
        {"name": evil, "declaration": {"input": {evil: evil}, "output": 3}, "digest": "0" * 64},
        {
            "name": "Sharpen",
            "digest": "0" * 64,
            "declaration": {"input": {"required": {evil: [[evil]], "mode": 3}}, "output": [None]},
            "choices": {"mode": [evil, None, {"a": 1}, [1]]},
            "numbers": {"strength": [1e308, 2.0]},
            "given": {evil: 2},
        },
        {"name": "LoadImage", "choices": {"image": [{"a": 1}, [1]]}, "unlisted": {"image": [{}]}},
    ]
    hostile["models"] = [{"name": evil, "folder": evil}, {"name": "", "folder": None}]
    hostile["inputs"] = [{"name": evil}, {"name": "../../etc/passwd"}, {"name": "a\x00b"}]
    hostile["packs"] = [{"name": evil, "folder": evil, "version": evil}]
    (tmp_path / "bill").write_text(json.dumps(hostile))
    found = compare(file.read(tmp_path / "bill"), worlds.host(), "bill")
    assert len(found.differences) >= 6
    for text in (d.text for d in found.differences):
        assert text.isprintable()
    assert "\\u001b" not in found.model_dump_json()
