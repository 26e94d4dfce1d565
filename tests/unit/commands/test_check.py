"""``comfywatchman check``: what it is pointed at, and what it leaves out."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.standin.comfyui import StandIn, recorded_object_info
from tests.unit.workflow.pictures import png, text, webp

if TYPE_CHECKING:
    from pathlib import Path

PROMPT = {
    "1": {
        "class_type": "EmptyImage",
        "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": 0},
    },
    "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
}
FLOW = json.dumps(PROMPT)


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "comfywatchman.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def object_info(tmp_path: Path) -> Path:
    file = tmp_path / "object_info.json"
    file.write_bytes(recorded_object_info("full"))
    return file


def test_what_is_left_out_is_counted_once(tmp_path: Path) -> None:
    saved = tmp_path / "user" / "default" / "workflows"
    (saved / "drafts").mkdir(parents=True)
    for name in ("a.json", "a_old.json", "drafts/b.json", "drafts/c.json"):
        (saved / name).write_text(FLOW)
    with StandIn(userdata=tmp_path / "user") as comfyui:
        flags = ["--comfyui-url", comfyui.url, "--state-dir", tmp_path / "state"]
        flags += ["--comfyui-dir", tmp_path, "--workflow-dirs", saved]
        flags += ["--workflow-exclude", "drafts/", "--workflow-exclude", "*_old.json"]
        shown = run("check", *flags, "--format", "json")
    report = json.loads(shown.stdout)
    assert [w["name"] for w in report["workflows"]] == ["a.json"]
    assert report["left_out"] == 3
    assert report["reason"] == "1 workflow: 1 runnable; 3 left out by workflow_exclude"
    told = run("status", "--state-dir", tmp_path / "state").stdout
    assert ": 1 runnable; 3 left out\n" in told


def test_pictures_that_are_named_are_judged_like_their_workflow(
    tmp_path: Path, object_info: Path
) -> None:
    folder = tmp_path / "output"
    folder.mkdir()
    (folder / "a.png").write_bytes(png(text(b"prompt", FLOW.encode())))
    (folder / "b.webp").write_bytes(webp(b"prompt:" + FLOW.replace("64", "-64").encode()))
    (folder / "c.png").write_bytes(png())
    offline = ["--object-info", object_info, "--format", "json"]
    report = json.loads(run("check", folder, *offline).stdout)
    verdicts = [(w["name"], w["verdict"]) for w in report["workflows"]]
    assert verdicts == [("a.png", "runnable"), ("b.webp", "broken")]
    report = json.loads(run("check", folder / "c.png", *offline).stdout)
    (finding,) = report["workflows"][0]["findings"]
    assert finding["code"] == "picture_without_workflow"
    report = json.loads(run("check", "--workflow-dirs", folder, *offline).stdout)
    assert report["workflows"] == []


def test_convert_reads_pictures_too(tmp_path: Path, object_info: Path) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(png(text(b"prompt", FLOW.encode())))
    converted = run("convert", picture, "--object-info", object_info)
    assert json.loads(converted.stdout) == PROMPT
