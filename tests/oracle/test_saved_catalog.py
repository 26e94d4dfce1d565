"""A check against a saved catalog says what a check against the live server says, word for word."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.oracle import frontend, recorded
from tests.standin.comfyui import StandIn

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TIMES = ("started_at", "duration_s")
WHO_WAS_ASKED = ("gate", "server")


def output_of(*arguments: object) -> str:
    ended = subprocess.run(
        [sys.executable, "-m", "comfywatchman.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def flows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every recorded workflow, and the small prompts that put one question each."""
    folder = tmp_path_factory.mktemp("flows")
    for case in (*frontend.official(), *frontend.cases()):
        (folder / case.corpus).mkdir(exist_ok=True)
        name = case.name.replace("/", "_")
        (folder / case.corpus / f"{name}.json").write_text(json.dumps(case.workflow))
    questions = [
        *recorded.OF_0_8.lines("edge_cases"),
        *recorded.OF_0_33.lines("edge_cases"),
        *recorded.OF_0_33.lines("edge_cases_symlinks_and_absolute"),
    ]
    for number, record in enumerate(questions):
        request = record["request"]
        prompt = (request if isinstance(request, dict) else json.loads(request))["prompt"]
        (folder / f"question {number}.json").write_text(json.dumps(prompt))
    return folder


@pytest.mark.parametrize(
    ("server", "state"),
    [(recorded.OF_0_8, "full"), (recorded.OF_0_8, "empty"), (recorded.OF_0_33, "full")],
    ids=str,
)
def test_both_say_the_same(
    tmp_path: Path,
    flows: Path,
    server: recorded.Server,
    state: recorded.State,
    agreement: Callable[[str, int, int], None],
) -> None:
    comfyui_dir = tmp_path / "ComfyUI"
    for folder, names in server.inventory(state).files.items():
        (comfyui_dir / folder).mkdir(parents=True)
        for name in sorted(names):
            file = comfyui_dir / folder / name
            if file.suffix:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.touch()
    (comfyui_dir / "input" / "link_in.png").symlink_to("example.png")
    (comfyui_dir / "input" / "linkdir").symlink_to(tmp_path)
    file = tmp_path / "catalog.json"
    node_types = server.object_info(state)
    with StandIn(state=state, comfyui_version=server.version, object_info=node_types) as comfyui:
        of_server = ["--comfyui-url", comfyui.url]
        if state == "full":  # else its folders are not seen, which both must say
            of_server += ["--comfyui-dir", str(comfyui_dir)]
        checked = ["check", flows, "--state-dir", tmp_path / "state", "--format", "json"]
        live = json.loads(output_of(*checked, *of_server))
        output_of("catalog", "--save", file, *of_server)
    saved = json.loads(output_of(*checked, "--object-info", file))
    asked = [{key: report.pop(key) for key in WHO_WAS_ASKED} for report in (live, saved)]
    if state == "full":  # with a saved catalog, model files are not looked into
        live["not_checked"].remove(
            "none of the model files that the server lists is to be seen on this host"
        )
    for report in (live, saved):
        for key in TIMES:
            del report[key]
    differing = [
        one["path"]
        for one, other in zip(live["workflows"], saved["workflows"], strict=True)
        if one != other
    ]
    total = len(live["workflows"])
    name = f"saved catalog against the live server, {server.version}, {state} state"
    agreement(name, total - len(differing), total)
    assert differing == []
    assert total > 900
    assert live == saved
    assert bool(saved["not_checked"]) is (state == "empty")
    servers: list[dict[str, Any]] = [each["server"] for each in asked]
    assert servers[0] == {**servers[1], "url": comfyui.url, "catalog_file": None}
    assert (servers[1]["url"], servers[1]["catalog_file"]) == (None, str(file))
    assert asked[1]["gate"] == []
