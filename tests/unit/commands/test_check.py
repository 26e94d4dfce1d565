"""``comfywatchman check``: what it judges, and how it ends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from comfywatchman import state
from comfywatchman.errors import Exit
from tests.standin.comfyui import StandIn
from tests.unit.program import PROMPT, run
from tests.unit.workflow.pictures import png, text, webp

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_check_with_a_saved_catalog_prints_the_report_and_keeps_nothing(
    flow: Path, object_info: Path
) -> None:
    ended = run("check", flow, "--object-info", object_info, "--format", "json")
    assert ended.returncode == Exit.OK
    report = json.loads(ended.stdout)
    assert [(w["name"], w["verdict"]) for w in report["workflows"]] == [("flow.json", "runnable")]
    assert not state.default_dir().exists()


def test_fail_on(flow: Path, object_info: Path) -> None:
    flow.write_text(json.dumps({**PROMPT, "3": {"class_type": "Gone", "inputs": {}}}))
    arguments = ["check", flow, "--object-info", object_info]
    assert run(*arguments).returncode == Exit.OK
    assert run(*arguments, "--fail-on", "broken").returncode == Exit.FAIL_ON
    assert run(*arguments, "--fail-on", "partial").returncode == Exit.FAIL_ON


def test_a_catalog_that_is_none_is_a_sentence(flow: Path, tmp_path: Path) -> None:
    for content in (b"", b"{}", b"[]", b'{"error": "x"}', b"\xff\xfe"):
        file = tmp_path / "catalog.json"
        file.write_bytes(content)
        ended = run("check", flow, "--object-info", file)
        assert ended.returncode == Exit.CONFIG
        assert ended.stderr.startswith(f"comfywatchman: --object-info: {file} is not")


def test_paths_in_flags_are_relative_to_here(
    flow: Path, object_info: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(flow.parent)
    (flow.parent / "input").mkdir()
    arguments = ["--workflow-dirs", ".", "--comfyui-dir", ".", "--object-info", object_info]
    ended = run("check", *arguments, "--format", "json")
    assert ended.returncode == Exit.OK, ended.stderr
    assert [w["path"] for w in json.loads(ended.stdout)["workflows"]] == [str(flow)]
    ended = run("check", "--ca-file", "x.pem", "--comfyui-url", "https://localhost:1")
    assert ended.returncode == Exit.CONFIG
    ended = run("status", "--state-dir", "~nobody-of-that-name")
    assert f"{flow.parent}/~nobody-of-that-name" in ended.stdout
    ended = run("check", "--ca-file", "x.pem", "--comfyui-url", "https://localhost:1")
    assert f"ca_file: {flow.parent}/x.pem cannot be used" in ended.stderr


def test_what_is_left_out_is_counted_once(tmp_path: Path) -> None:
    saved = tmp_path / "user" / "default" / "workflows"
    (saved / "drafts").mkdir(parents=True)
    for name in ("a.json", "a_old.json", "drafts/b.json", "drafts/c.json"):
        (saved / name).write_text(json.dumps(PROMPT))
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
    (folder / "a.png").write_bytes(png(text(b"prompt", json.dumps(PROMPT).encode())))
    (folder / "b.webp").write_bytes(
        webp(b"prompt:" + json.dumps(PROMPT).replace("64", "-64").encode())
    )
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
