"""``comfywatchman catalog --save``, and judging by what it saved."""

from __future__ import annotations

import json
import os
import stat
import sys
from typing import TYPE_CHECKING

import pytest

from comfywatchman.errors import Exit
from tests.standin.comfyui import StandIn
from tests.unit.program import run

if TYPE_CHECKING:
    from pathlib import Path


def test_it_holds_what_verdicts_rest_on_and_nothing_else_of_this_host(tmp_path: Path) -> None:
    host = tmp_path / "srv-of-host"
    (host / "ComfyUI" / "input" / "sub").mkdir(parents=True)
    (host / "ComfyUI" / "input" / "sub" / "picture.png").touch()
    (host / "token").write_text("sesame-open")
    (host / "token").chmod(0o600)
    file = tmp_path / "catalog.json"
    file.write_text("old")
    with StandIn(token="sesame-open", behaviour="404@/embeddings") as comfyui:
        ended = run(
            *("catalog", "--save", file, "--comfyui-url", comfyui.url),
            *("--comfyui-dir", host / "ComfyUI", "--comfyui-token-file", host / "token"),
        )
        assert comfyui.writes == []
    assert ended.returncode == Exit.OK, ended.stderr
    assert ended.stdout == (
        f"{file}: ComfyUI 0.8.0, 568 node types, 387 model files, 2 other files\n"
    )
    assert "not in the catalog: the server does not list its model files" in ended.stderr
    text = file.read_text()
    saved = json.loads(text)
    assert saved["inventory"]["paths"]["input"] == [f"{host}/ComfyUI/input"] * 2
    text = text.replace(f'"{host}/ComfyUI/', "")  # where workflows may find files
    for secret in ("sesame-open", "srv-of-host", comfyui.url, "127.0.0.1", str(tmp_path)):
        assert secret not in text
    assert saved["format"] == "comfywatchman-catalog"
    assert saved["inventory"]["files"]["input"] == ["sub", "sub/picture.png"]
    assert len(saved["node_types"]) == 568
    assert stat.S_IMODE(file.stat().st_mode) == 0o666 & ~_umask()


def _umask() -> int:
    now = os.umask(0)
    os.umask(now)
    return now


def test_a_second_save_writes_the_same_bytes_through_a_link(
    tmp_path: Path, comfyui: StandIn
) -> None:
    (tmp_path / "repository").mkdir()
    link = tmp_path / "catalog.json.gz"
    link.symlink_to("repository/catalog.json.gz")
    contents = []
    for _ in range(2):
        assert run("catalog", "--save", link, "--comfyui-url", comfyui.url).returncode == Exit.OK
        contents.append((tmp_path / "repository" / "catalog.json.gz").read_bytes())
    assert contents[0] == contents[1]
    assert link.is_symlink()
    assert len(contents[0]) < 500_000
    offline = run("check", tmp_path / "repository", "--object-info", link)
    assert "ComfyUI 0.8.0, as saved in" in offline.stdout


@pytest.mark.parametrize(
    ("place", "problem"),
    [
        ("none/catalog.json", "cannot be written: there is no folder {folder}/none; make it"),
        ("taken", "is no regular file: name one to write"),
        ("taken/pipe", "is no regular file: name one to write"),
        ("f" * 300, "cannot be written: "),
        ("loop/x", "cannot be written: "),
    ],
)
def test_what_cannot_be_written_is_a_sentence(
    tmp_path: Path, comfyui: StandIn, place: str, problem: str
) -> None:
    (tmp_path / "taken").mkdir()
    os.mkfifo(tmp_path / "taken" / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    ended = run("catalog", "--save", tmp_path / place, "--comfyui-url", comfyui.url)
    assert ended.returncode == Exit.UNWRITABLE
    assert ended.stderr.startswith(f"comfywatchman: {tmp_path / place} ")
    assert problem.format(folder=tmp_path) in ended.stderr
    assert "bug" not in ended.stderr


def test_a_server_that_is_not_there_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "catalog.json"
    file.write_text("old")
    ended = run("catalog", "--save", file, "--comfyui-url", "http://127.0.0.1:9")
    assert ended.returncode == Exit.USAGE
    assert "nothing was saved: nothing listens at http://127.0.0.1:9" in ended.stderr
    assert (file.read_text(), list(tmp_path.iterdir())) == ("old", [file])
    assert run("catalog").returncode == Exit.USAGE


def test_an_answer_that_is_nested_too_deep_is_a_sentence(tmp_path: Path) -> None:
    deep: list[object] = []
    for _ in range(1015):  # orjson reads up to 1,024
        deep = [deep]
    types = {"A": {"input": {}, "output": [], "odd": deep}}
    usual = sys.getrecursionlimit()
    try:
        sys.setrecursionlimit(3_000)  # for the stand-in
        with StandIn(object_info=types) as comfyui:
            ended = run("catalog", "--save", tmp_path / "c.json", "--comfyui-url", comfyui.url)
    finally:
        sys.setrecursionlimit(usual)
    assert ended.returncode == Exit.USAGE
    assert "nested too deep" in ended.stderr


@pytest.mark.parametrize("command", ["check", "convert"])
def test_the_release_of_a_bare_object_info(tmp_path: Path, object_info: Path, command: str) -> None:
    flow = tmp_path / "flow.json"
    flow.write_text('{"1": {"class_type": "PreviewImage", "inputs": {}}}')
    offline = [command, flow, "--object-info", object_info]
    for wrong in ("8", "0.33", "0.33.0.1", "newest", ""):
        ended = run(*offline, "--comfyui-version", wrong)
        assert ended.returncode == Exit.USAGE
        assert f"{wrong!r} is no release of ComfyUI: give three numbers" in " ".join(
            ended.stderr.replace("│", " ").split()
        )
    alone = run(command, flow, "--comfyui-version", "0.33.0")
    assert alone.returncode == Exit.USAGE
    assert "name that with --object-info too, or leave it out" in alone.stderr
    assert run(*offline, "--comfyui-version", "v0.33.0").returncode == Exit.OK


def test_a_verdict_follows_the_release_that_is_named(tmp_path: Path, object_info: Path) -> None:
    flow = tmp_path / "flow.json"
    picture = {"class_type": "LoadImage", "inputs": {"image": "../../etc/x.png"}}
    shown = {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}}
    flow.write_text(json.dumps({"1": picture, "2": shown}))
    said = {}
    for release in ("0.8.0", "0.38.0"):
        command = ["check", flow, "--object-info", object_info, "--comfyui-version", release]
        report = json.loads(run(*command, "--format", "json").stdout)
        assert report["server"]["version"] == release
        said[release] = [f["code"] for f in report["workflows"][0]["findings"]]
    assert said["0.8.0"] != said["0.38.0"]


def test_a_catalog_of_another_release_is_refused(tmp_path: Path, comfyui: StandIn) -> None:
    file = tmp_path / "catalog.json"
    run("catalog", "--save", file, "--comfyui-url", comfyui.url)
    for command in ("check", "convert"):
        ended = run(command, tmp_path, "--object-info", file, "--comfyui-version", "0.33.0")
        assert ended.returncode == Exit.CONFIG
        assert "was saved from ComfyUI 0.8.0; leave --comfyui-version out" in ended.stderr
