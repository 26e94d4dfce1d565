"""``comfywatchman check``, as far as it needs no server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from comfywatchman import state
from comfywatchman.errors import Exit
from tests.unit.program import PROMPT, run

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
