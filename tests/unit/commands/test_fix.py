"""``comfywatchman fix``, as people call it, with a server that is asked over HTTP."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import resource
import shutil
import struct
import subprocess
import sys
import time
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
    from collections.abc import Callable, Iterator

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

    def check(self) -> int:
        return program.run("check", f"--config={self.root / 'config.toml'}").returncode

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


def graph(vae: str, **model: object) -> dict[str, Any]:
    """As the frontend saves it, with what its node says of the model."""
    loader = {
        "id": 1,
        "type": "VAELoader",
        "inputs": [],
        "outputs": [{"name": "VAE", "type": "VAE", "links": [1]}],
        "widgets_values": [vae],
        "properties": {"models": [{"name": vae, "directory": "vae", **model}]},
    }
    latent = {
        "id": 2,
        "type": "EmptyLatentImage",
        "inputs": [],
        "outputs": [{"name": "LATENT", "type": "LATENT", "links": [2]}],
        "widgets_values": [64, 64, 1],
    }
    decode = {
        "id": 3,
        "type": "VAEDecode",
        "inputs": [
            {"name": "samples", "type": "LATENT", "link": 2},
            {"name": "vae", "type": "VAE", "link": 1},
        ],
        "outputs": [{"name": "IMAGE", "type": "IMAGE", "links": [3]}],
        "widgets_values": [],
    }
    save = {
        "id": 4,
        "type": "SaveImage",
        "inputs": [{"name": "images", "type": "IMAGE", "link": 3}],
        "outputs": [],
        "widgets_values": ["x"],
    }
    links = [[1, 1, 0, 3, 1, "VAE"], [2, 2, 0, 3, 0, "LATENT"], [3, 3, 0, 4, 0, "IMAGE"]]
    return {"nodes": [loader, latent, decode, save], "links": links, "version": 0.4}


def test_a_renamed_model_is_known_by_the_hash_that_was_read_of_it(place: Place) -> None:
    sha256 = hashlib.sha256(b"a model").hexdigest()
    file = place.workflow("a.json", graph("old.safetensors", hash=sha256, hash_type="SHA256"))
    assert '"strategy": "renamed"' not in place.run("--format", "json").stdout
    read = program.run("models", "verify", f"--config={place.root / 'config.toml'}")
    assert read.returncode == 0, read.stderr
    shown = place.run("--plan", place.plan)
    assert f"{file}: broken -> runnable" in shown.stdout
    assert "its content is that of the wanted file (SHA-256)" in shown.stdout
    assert place.run("--apply", place.plan, "--only", "proven").returncode == 0
    assert f'"widgets_values": ["{VAE}"]' in file.read_text()


def test_a_renamed_model_is_known_by_what_its_downloader_noted(place: Place) -> None:
    sha256 = hashlib.sha256(b"a model").hexdigest()
    place.workflow("a.json", graph("old.safetensors", hash=sha256, hash_type="SHA256"))
    notes = place.root / "ComfyUI/models/vae/.cache/huggingface/download"
    notes.mkdir(parents=True)
    (notes / f"{VAE}.metadata").write_text(f"{'0' * 40}\n{sha256}\n{time.time()}\n")
    assert "its content is that of the wanted file (SHA-256)" in place.run().stdout


def test_a_damaged_model_is_said_to_be_left_to_a_person(place: Place) -> None:
    model = place.root / "ComfyUI/models/vae" / VAE
    head = json.dumps({"w": {"dtype": "F32", "shape": [64], "data_offsets": [0, 256]}}).encode()
    model.write_bytes(struct.pack("<Q", len(head)) + head + bytes(100))
    os.utime(model, (LONG_AGO, LONG_AGO))
    url = "https://huggingface.co/x/resolve/main/ae.safetensors?token=secret"
    place.workflow("a.json", graph(VAE, url=url, hash="0" * 64, hash_type="SHA256"))
    shown = place.run("--plan", place.plan)
    assert "the model file 'ae.safetensors' in 'vae' cannot be loaded" in shown.stdout
    assert "156 bytes lack" in shown.stdout
    assert "nothing is put over a file" in shown.stdout
    assert "https://huggingface.co/x/resolve/main/ae.safetensors?***, which" in shown.stdout
    assert "secret" not in shown.stdout
    assert f"    mv -n {model} {model}.damaged" in shown.stdout
    (hand,) = Plan.model_validate_json(place.plan.read_bytes()).by_hand
    assert (hand.kind, hand.confidence) == ("by_hand", "ask")


def test_what_a_person_sees_of_a_missing_pack(place: Place) -> None:
    document = graph(VAE)
    document["nodes"][3]["properties"] = {"cnr_id": "comfyui-image-saver", "ver": "1.2.3"}
    document["nodes"][3]["type"] = "SaveImageWithMetaData"
    pack = place.root / "ComfyUI/custom_nodes/comfyui-image-saver"
    pack.mkdir(parents=True)
    (pack / "pyproject.toml").write_text(
        '[project]\nname = "comfyui-image-saver"\nversion = "1.1.0"\n'
    )
    types = place.comfyui.object_info
    assert types is not None
    module = {"python_module": "custom_nodes.comfyui-image-saver"}
    place.comfyui.object_info = {**types, "SaveImageWithMetaData": types["SaveImage"] | module}
    place.workflow("a.json", document)
    assert place.check() == 0
    place.comfyui.object_info = types
    shutil.rmtree(pack)
    for checked in (False, True):  # as the server alone tells, and as a report does
        assert place.check() == 0 if checked else True
        shown = place.run()
        assert "For a person:" in shown.stdout
        assert "    comfy node install comfyui-image-saver@1.1.0" in shown.stdout
        assert "with version 1.1.0 of it, this workflow last ran here" in shown.stdout


def test_an_input_image_that_comes_makes_no_plan_stale(place: Place) -> None:
    file = place.workflow("a.json", flow(VAE.upper()))
    types = node_types()
    declared = json.loads(recorded_object_info("full"))
    types["LoadImage"] = declared["LoadImage"]
    place.comfyui.object_info = types
    place.run("--plan", place.plan)
    images = types["LoadImage"]["input"]["required"]["image"][0]
    images.append("new.png")
    place.comfyui.object_info = types
    done = place.run("--apply", place.plan)
    assert done.returncode == 0, done.stderr
    assert VAE.encode() in file.read_bytes()


def test_a_plan_that_names_an_input_image_rests_on_all_of_them(place: Place) -> None:
    types = node_types()
    types["LoadImage"] = copy.deepcopy(json.loads(recorded_object_info("full"))["LoadImage"])
    images = types["LoadImage"]["input"]["required"]["image"][0]
    place.comfyui.object_info = types
    (place.root / "ComfyUI/input").mkdir()
    (place.root / "ComfyUI/input" / images[0]).write_bytes(b"an image")
    document = flow(VAE)
    document["4"]["inputs"]["images"] = ["5", 0]
    document["5"] = {"class_type": "LoadImage", "inputs": {"image": images[0].upper()}}
    place.workflow("a.json", document)
    shown = place.run("--plan", place.plan)
    assert f'"{images[0]}"' in shown.stdout
    assert Plan.model_validate_json(place.plan.read_bytes()).workflows
    images[1:] = [*images[2:], "new.png"]
    assert "stale: the server offers" in place.run("--apply", place.plan).stderr


def test_a_workflow_that_nothing_mends_is_named(place: Place) -> None:
    file = place.workflow("a.json", flow("nothing-like-it.safetensors"))
    assert f"Not written: {file}: it is broken, and no program can mend" in place.run().stdout


def test_what_was_applied_as_data(place: Place) -> None:
    file = place.workflow("a.json", flow(VAE.upper()))
    assert json.loads(place.run("--list", "--format", "json").stdout)["fixes"] == []
    place.run("--plan", place.plan)
    place.run("--apply", place.plan)
    (fix,) = json.loads(place.run("--list", "--format", "json").stdout)["fixes"]
    assert (fix["id"], fix["progress"]) == (place.recorded, "done")
    assert [written["path"] for written in fix["written"]] == [str(file)]


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


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        (
            lambda d: d["workflows"][0]["file"].update(path="a\0b"),
            1,
            "stale: a\\x00b could be read",
        ),
        (lambda d: d.update(made_at="2020-01-01T00:00:00"), 78, "should have timezone info"),
        (lambda d: d.update(made_at=5), 78, "made_at: Input should be a valid datetime"),
        (lambda d: d["host"].update(machine="f" * 32), 1, "this is another one of that name"),
    ],
)
def test_a_plan_that_was_edited_by_hand(
    place: Place, change: Callable[[Any], None], code: int, says: str
) -> None:
    file = place.workflow("a.json", flow(VAE.upper()))
    raw = file.read_bytes()
    place.run("--plan", place.plan)
    plan = json.loads(place.plan.read_bytes())
    plan["host"]["machine"] = plan["host"]["machine"] or "0" * 32
    change(plan)
    place.plan.write_text(json.dumps(plan))
    refused = place.run("--apply", place.plan)
    assert (refused.returncode, says in refused.stderr) == (code, True), refused.stderr
    assert file.read_bytes() == raw


def test_a_stale_plan_says_once_what_moved_and_what_to_do(place: Place) -> None:
    file = place.workflow("a.json", flow(VAE.upper()))
    place.run("--plan", place.plan)
    place.workflow("a.json", flow("other.safetensors"))
    said = place.run("--apply", place.plan).stderr.splitlines()
    assert len(said) == 3
    assert f"stale: {file} holds other bytes than at the plan" in said[0]
    assert "make another plan, of what is there now: `comfywatchman fix --plan FILE`" in said[1]


def test_what_cannot_be_written_is_named(place: Place) -> None:
    place.workflow("a.json", flow(VAE.upper()))
    place.run("--plan", place.plan)
    program.run("check", f"--config={place.root / 'config.toml'}")

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (16, 16))

    command = [sys.executable, "-m", "comfywatchman.cli", "fix", "--apply", str(place.plan)]
    ended = subprocess.run(
        [*command, f"--config={place.root / 'config.toml'}"],
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=small,
    )
    assert ended.returncode == 74
    assert f"{place.root}/state/fix-" in ended.stderr
    assert "cannot be written: File too large" in ended.stderr
    assert not [*(place.root / "state").glob("fix-*")]
