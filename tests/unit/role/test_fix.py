"""The module that has workflows mended: it shows in check mode, mends, and then changes nothing."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.standin.comfyui import StandIn
from tests.unit.commands.test_fix import VAE, graph, node_types
from tests.unit.fixes.host import LONG_AGO, flow
from tests.unit.role import collection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def arguments(tmp_path: Path) -> Iterator[dict[str, Any]]:
    (tmp_path / "flows").mkdir()
    file = tmp_path / "flows" / "a.json"
    file.write_text(json.dumps(flow(VAE.upper())))
    os.utime(file, (LONG_AGO, LONG_AGO))
    with StandIn(object_info=node_types()) as comfyui:
        (tmp_path / "config.toml").write_text(
            f'comfyui_url = "{comfyui.url}"\nworkflow_dirs = ["{tmp_path}/flows"]\n'
            f'state_dir = "{tmp_path}/state"\n'
        )
        yield {
            "program": [sys.executable, "-Xutf8", "-m", "comfywatchman.cli"],
            "config": str(tmp_path / "config.toml"),
        }


def run(arguments: dict[str, Any], **more: Any) -> dict[str, Any]:
    ended = collection.run("fix", {**arguments, **more})
    answer: dict[str, Any] = json.loads(ended.stdout)
    return answer


def test_shown_then_mended_then_nothing(arguments: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "flows" / "a.json"
    raw = file.read_bytes()
    shown = run(arguments, _ansible_check_mode=True, _ansible_diff=True)
    assert shown["changed"] is True
    assert f'+"{VAE}"' in shown["diff"]["prepared"]
    assert file.read_bytes() == raw
    assert not (tmp_path / "state").exists()

    mended = run(arguments)
    assert mended["changed"] is True
    assert mended["workflows"] == [str(file)]
    assert f"{file}: broken before, runnable now" in mended["said"]
    assert file.read_bytes() == raw.replace(VAE.upper().encode(), VAE.encode())

    again = run(arguments)
    assert again["changed"] is False
    assert again["said"] == []


def test_what_is_not_written_is_told_with_the_reason(
    arguments: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "flows" / "a.json").chmod(0o444)
    told = run(arguments)
    assert told["changed"] is False
    (line,) = told["not_written"]
    assert "read-only" in line


def test_what_is_only_likely_is_done_on_request(arguments: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "flows" / "a.json"
    file.write_text(json.dumps({**flow(VAE.upper()), "9": {"class_type": "Gone", "inputs": {}}}))
    os.utime(file, (LONG_AGO, LONG_AGO))
    assert run(arguments)["changed"] is False
    assert run(arguments, only="planned")["changed"] is True
    assert VAE.encode() in file.read_bytes()


def test_what_was_done_before_something_failed_is_told(
    arguments: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "ComfyUI/models/vae").mkdir(parents=True)
    with (tmp_path / "config.toml").open("a") as config:
        config.write(f'comfyui_dir = "{tmp_path}/ComfyUI"\ndownload_hosts = ["127.0.0.1:1"]\n')
    url = "https://127.0.0.1:1/gone.safetensors"
    (tmp_path / "flows" / "b.json").write_text(json.dumps(graph("gone.safetensors", url=url)))
    ended = run(arguments, only="planned", allow_download=True)
    assert (ended["failed"], ended["changed"]) == (True, True)
    assert "Not all is mended" in ended["msg"]
    assert f"{tmp_path}/flows/a.json is edited" in ended["said"]


def test_a_refusal_is_told_in_a_sentence(arguments: dict[str, Any], tmp_path: Path) -> None:
    os.utime(tmp_path / "flows" / "a.json")
    refused = run(arguments)
    assert refused["failed"] is True
    assert "somebody may be at work on it; wait a minute; nothing was written" in refused["msg"]
    unknown = run(arguments, workflows=["--nonsense"])
    assert "this host has no workflow '--nonsense'" in unknown["msg"]
