"""``comfywatchman fix``, as people call it, with a server that is asked over HTTP."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from comfywatchman import state_files
from comfywatchman.fixes.plan import Plan
from comfywatchman.gate import lock
from tests.standin.comfyui import StandIn, recorded_object_info
from tests.unit import program
from tests.unit.fixes.host import LONG_AGO, flow

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

VAE = "ae.safetensors"
ELSEWHERE = "sd_xl_base_1.0.safetensors"
TYPES = ("VAELoader", "CheckpointLoaderSimple", "EmptyLatentImage", "VAEDecode", "SaveImage")


def node_types() -> dict[str, Any]:
    declared = json.loads(recorded_object_info("full"))
    return {name: declared[name] for name in TYPES}


@dataclass
class Place:
    """A host with a server.

    Attributes:
        root: the folder of all.
        comfyui: the server.
    """

    root: Path
    comfyui: StandIn

    def workflow(self, name: str, document: dict[str, Any], **style: Any) -> Path:
        file = self.root / "flows" / name
        file.write_text(json.dumps(document, **style))
        os.utime(file, (LONG_AGO, LONG_AGO))
        return file

    def run(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        ended = program.run("fix", *arguments, f"--config={self.root / 'config.toml'}")
        assert "Traceback" not in ended.stderr
        return ended

    @property
    def plan(self) -> Path:
        return self.root / "plan.json"

    @property
    def recorded(self) -> str:
        (name,) = (self.root / "state").glob("fix-*.json")
        return name.stem.removeprefix("fix-")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    for folder in ("flows", "ComfyUI/models/vae", "ComfyUI/models/checkpoints"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "ComfyUI/models/vae" / VAE).write_bytes(b"a model")
    (tmp_path / "ComfyUI/models/checkpoints" / ELSEWHERE).write_bytes(b"a model")
    with StandIn(object_info=node_types()) as comfyui:
        (tmp_path / "config.toml").write_text(
            f'comfyui_url = "{comfyui.url}"\nworkflow_dirs = ["{tmp_path}/flows"]\n'
            f'state_dir = "{tmp_path}/state"\ncomfyui_dir = "{tmp_path}/ComfyUI"\n'
        )
        yield Place(tmp_path, comfyui)
        assert comfyui.writes == []


def test_shown_planned_applied_and_taken_back(place: Place) -> None:
    file = place.workflow("a.json", flow(VAE.upper()), indent=2)
    raw = file.read_bytes()
    shown = place.run()
    assert shown.returncode == 0
    assert f"{file}: broken -> runnable" in shown.stdout
    assert f'-      "vae_name": "{VAE.upper()}"\n+      "vae_name": "{VAE}"\n' in shown.stdout
    assert "nothing was written" in shown.stderr
    assert sorted(path.name for path in place.root.iterdir()) == ["ComfyUI", "config.toml", "flows"]

    assert place.run("--plan", place.plan).returncode == 0
    assert place.plan.stat().st_mode & 0o777 == 0o600
    plan = Plan.model_validate_json(place.plan.read_bytes())
    assert [seen.path for seen in plan.reads] == [str(place.root / "ComfyUI/models/vae" / VAE)]
    assert file.read_bytes() == raw

    done = place.run("--apply", place.plan, "--only", "proven")
    assert done.returncode == 0, done.stderr
    assert f"{file}: broken before, runnable now" in done.stdout
    assert "must reload it" in done.stdout
    assert file.read_bytes() == raw.replace(VAE.upper().encode(), VAE.encode())
    assert f"{place.recorded}  " in place.run("--list").stdout

    assert place.run("--undo", place.recorded).returncode == 0
    assert file.read_bytes() == raw
    assert "undone" in place.run("--list").stdout


def test_a_plan_is_not_written_over_anything(place: Place) -> None:
    place.plan.write_text("mine")
    refused = place.run("--plan", place.plan)
    assert refused.returncode == 74
    assert "is there already: name a new file" in refused.stderr
    assert place.plan.read_text() == "mine"


def test_what_moved_is_named(place: Place) -> None:
    file = place.workflow("a.json", flow(VAE.upper()))
    place.run("--plan", place.plan)
    file.write_text(file.read_text() + " ")
    refused = place.run("--apply", place.plan)
    assert refused.returncode == 1
    assert f"stale: {file} was saved at " in refused.stderr
    assert refused.stderr.rstrip().endswith("nothing was written")
    assert not list((place.root / "state").glob("fix-*"))


def test_a_server_that_changed_is_seen(place: Place) -> None:
    place.workflow("a.json", flow(VAE.upper()))
    place.run("--plan", place.plan)
    place.comfyui.object_info = {**node_types(), "New": node_types()["SaveImage"]}
    refused = place.run("--apply", place.plan)
    assert refused.returncode == 1
    assert "stale: the server offers other node types" in refused.stderr


def test_a_server_that_does_not_answer(place: Place) -> None:
    place.workflow("a.json", flow(VAE.upper()))
    place.run("--plan", place.plan)
    place.comfyui.behaviour = "503"
    for arguments in ((), ("--apply", place.plan)):
        refused = place.run(*arguments)
        assert refused.returncode == 1
        assert "cannot be asked" in refused.stderr


def test_a_server_that_works_on_something_else(place: Place) -> None:
    document = flow(VAE.upper())
    file = place.workflow("a.json", document)
    place.run("--plan", place.plan)
    place.comfyui.behaviour = "busy:1"
    done = place.run("--apply", place.plan)
    assert done.returncode == 0, done.stderr
    assert VAE.encode() in file.read_bytes()


def test_only_the_workflows_that_are_named(place: Place) -> None:
    for name in ("a.json", "b.json"):
        place.workflow(name, flow(VAE.upper()))
    shown = place.run("a.json", "--format", "json")
    assert [Path(w.workflow).name for w in Plan.model_validate_json(shown.stdout).workflows] == [
        "a.json"
    ]
    unknown = place.run("c.json")
    assert unknown.returncode == 1
    assert "this host has no workflow 'c.json'; near it: 'b.json'" in unknown.stderr


def test_a_plan_by_pipe(place: Place) -> None:
    file = place.workflow("a.json", flow(VAE.upper()))
    plan = place.run("--plan", "-").stdout
    place.plan.write_text(plan)
    assert place.run("--apply", place.plan).returncode == 0
    assert VAE.encode() in file.read_bytes()


def test_a_file_is_linked_where_it_is_looked_for(place: Place) -> None:
    place.workflow("a.json", flow(ELSEWHERE))
    shown = place.run("--plan", place.plan)
    target = place.root / "ComfyUI/models/vae" / ELSEWHERE
    assert f"+ ln {place.root}/ComfyUI/models/checkpoints/{ELSEWHERE} {target}" in shown.stdout
    assert place.run("--apply", place.plan).returncode == 0
    assert target.samefile(place.root / "ComfyUI/models/checkpoints" / ELSEWHERE)
    assert place.run("--undo", place.recorded).returncode == 0
    assert not target.exists()


def test_two_are_not_at_work_at_once(place: Place) -> None:
    place.workflow("a.json", flow(VAE.upper()))
    place.run("--plan", place.plan)
    (place.root / "state").mkdir(exist_ok=True)
    with lock.make(place.root / "state" / state_files.FIX_LOCK):
        refused = place.run("--apply", place.plan)
    assert refused.returncode == 75
    assert "another `comfywatchman fix` is at work" in refused.stderr


def test_a_workflow_that_only_the_server_has_is_shown_and_not_written(tmp_path: Path) -> None:
    user = tmp_path / "user" / "default" / "workflows"
    user.mkdir(parents=True)
    (user / "a.json").write_text(json.dumps(flow(VAE.upper())))
    with StandIn(object_info=node_types(), userdata=tmp_path / "user") as comfyui:
        shown = program.run(
            "fix", "--comfyui-url", comfyui.url, "--state-dir", tmp_path / "state", "--userdata"
        )
    assert shown.returncode == 0, shown.stderr
    assert f'+"{VAE}"' in shown.stdout
    assert "only the server has it, and offers no safe way to replace a file" in shown.stdout
    assert "there is nothing that could be applied" in shown.stderr


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[" * 10_000, b'{"schema_version": 1}', b"\xff\x00", b'{"schema_version": 9}'],
)
def test_what_is_no_plan_is_refused(place: Place, content: bytes) -> None:
    place.plan.write_bytes(content)
    refused = place.run("--apply", place.plan)
    assert refused.returncode == 78
    assert "is no plan" in refused.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["--apply", "p", "--undo", "x"],
        ["--list", "--undo", "x"],
        ["a.json", "--apply", "p"],
        ["--only", "proven"],
        ["--allow-download"],
        ["--apply", "p", "--only", "likely"],
        ["--apply", "p", "--plan", "q"],
    ],
)
def test_what_cannot_be_meant(place: Place, arguments: list[str]) -> None:
    assert place.run(*arguments).returncode == 2


@pytest.mark.parametrize("name", ["../x", "20261126-140203-0a1b2c3d", "\n", "x" * 500])
def test_an_unknown_fix_is_not_undone(place: Place, name: str) -> None:
    refused = place.run("--undo", name)
    assert refused.returncode == 78
    assert "fix --list" in refused.stderr
