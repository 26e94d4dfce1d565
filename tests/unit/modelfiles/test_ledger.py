"""The ledger of a host: its files, and what its workflows need of them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.standin.comfyui import StandIn, recorded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def safetensors() -> bytes:
    """A whole file with a tensor of one byte."""
    header = json.dumps({"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}}).encode()
    return len(header).to_bytes(8, "little") + header + b"x"


CHECKPOINTS = recorded("full")["/models/checkpoints"]
LORAS = recorded("full")["/models/loras"]


@dataclass
class Studio:
    """A ComfyUI with some of its files, and workflows."""

    folder: Path
    url: str

    @property
    def models(self) -> Path:
        return self.folder / "ComfyUI" / "models"

    def put(self, place: str, content: bytes) -> Path:
        file = self.models / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        os.utime(file, (1_700_000_000, 1_700_000_000))  # not a download that goes on
        return file

    def save(self, name: str, *texts: str) -> None:
        nodes = {
            str(n): {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": text}}
            for n, text in enumerate(texts)
        }
        (self.folder / "flows" / name).write_text(json.dumps(nodes))

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "comfywatchman.cli", *arguments, "--config", "c.toml"]
        done = subprocess.run(
            [*command, "--comfyui-url", self.url],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert "Traceback" not in done.stderr + done.stdout
        return done

    def ledger(self, *arguments: str) -> dict[str, Any]:
        done = self.run("models", "--format", "json", *arguments)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found


@pytest.fixture
def server() -> Iterator[StandIn]:
    with StandIn() as started:
        yield started


@pytest.fixture
def studio(tmp_path: Path, server: StandIn) -> Studio:
    for name in ("flows", "ComfyUI/models", "ComfyUI/input"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "c.toml").write_text(
        f'workflow_dirs = ["{tmp_path}/flows"]\ncomfyui_dir = "{tmp_path}/ComfyUI"\n'
        f'state_dir = "{tmp_path}/state"\nmin_free_vram = 0\nworkflow_exclude = ["old/"]\n'
    )
    return Studio(tmp_path, server.url)


def rows(ledger: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in ledger["files"] if row["path"]}


def test_files_and_who_names_them(studio: Studio) -> None:
    studio.put(f"checkpoints/{CHECKPOINTS[0]}", b"x" * 3000)
    studio.put(f"loras/{LORAS[0]}", b"y" * 500)
    studio.put(f"loras/{LORAS[1]}", b"")
    studio.save("a.json", CHECKPOINTS[0], f"<lora:{LORAS[0].removesuffix('.safetensors')}:1>")
    studio.save("b.json", "gone.safetensors")
    (studio.folder / "flows" / "old").mkdir()
    studio.save("old/c.json", LORAS[1])
    (studio.folder / "flows" / "loop.json").symlink_to("loop.json")
    ledger = studio.ledger()
    found = rows(ledger)
    names = [each["name"] for each in ledger["workflows"]]
    assert sorted(names) == ["a.json", "b.json"]
    assert (ledger["workflows_read"], ledger["workflows_unread"]) == (2, 1)
    assert ledger["workflows_excluded"] == 1
    assert [names[n] for n in found[CHECKPOINTS[0]]["named_by"]] == ["a.json"]
    assert [names[n] for n in found[LORAS[0]]["named_by"]] == ["a.json"]
    assert found[LORAS[1]]["named_by"] == []
    assert found[LORAS[1]]["state"] == "model_empty"
    assert found[CHECKPOINTS[0]]["size"] == 3000
    assert len(ledger["files"]) == len({(f["folder"], f["name"]) for f in ledger["files"]})
    assert (studio.folder / "state" / "models.html").stat().st_mode & 0o777 == 0o600
    shown = studio.run("models")
    assert "2 workflows were read, 1 could not be, 1 is excluded" in shown.stdout
    assert "Not named by any workflow that was read" in shown.stdout
    assert "unused" not in shown.stdout
    assert "delete" not in shown.stdout
    long = [line for line in shown.stdout.splitlines() if len(line) > 80 and "GiB  " in line]
    assert long == []


def test_what_a_workflow_needs_and_lacks(studio: Studio) -> None:
    studio.put(f"checkpoints/{CHECKPOINTS[0]}", b"x" * 3000)
    os.link(
        studio.models / "checkpoints" / CHECKPOINTS[0],
        studio.models / "checkpoints" / CHECKPOINTS[1],
    )
    studio.put(f"checkpoints/{CHECKPOINTS[2]}", b"y" * 5000)
    studio.save("a.json", *CHECKPOINTS[:3], "gone.safetensors", "lost.safetensors")
    assert studio.run("check").returncode == 0
    other = studio.folder / "other.json"
    other.write_text(json.dumps({"models": {"checkpoints": {"gone.safetensors": 70}}}))
    for ledger in (studio.ledger("--against", str(other)), _while_down(studio, str(other))):
        (workflow,) = ledger["workflows"]
        assert workflow["bytes_needed"] == 8000
        assert {m["name"]: m["size"] for m in workflow["missing"]} == {
            "gone.safetensors": 70,
            "lost.safetensors": None,
        }
        assert workflow["bytes_missing"] >= 70
        assert ledger["files"][workflow["largest"]]["name"] == CHECKPOINTS[2]
        assert ledger["total_bytes"] == 8000
        (same,) = ledger["same"]
        assert same["kind"] == "linked"
        names = [ledger["files"][n]["name"] for n in same["files"]]
        assert names == sorted(CHECKPOINTS[:2])


def test_a_file_in_another_folder_is_missing_where_it_is_needed(studio: Studio) -> None:
    studio.put(f"loras/{LORAS[0]}", b"x" * 3000)
    studio.save("a.json", LORAS[0])
    assert studio.run("check").returncode == 0
    (workflow,) = (ledger := studio.ledger())["workflows"]
    assert [(m["folder"], m["name"]) for m in workflow["missing"]] == [("checkpoints", LORAS[0])]
    assert workflow["bytes_needed"] == 0
    assert rows(ledger)[LORAS[0]]["named_by"] == [0]


def test_what_is_no_file_has_no_size(studio: Studio) -> None:
    (studio.models / "loras" / LORAS[0]).mkdir(parents=True)
    (studio.models / "loras" / LORAS[1]).symlink_to("gone.safetensors")
    ledger = studio.ledger()
    found = rows(ledger)
    assert [found[lora]["size"] for lora in LORAS[:2]] == [None, None]
    assert (ledger["total_bytes"], ledger["not_named_bytes"]) == (0, 0)


def test_what_a_link_leads_to_is_named_with_it(studio: Studio) -> None:
    target = studio.put(f"loras/{LORAS[0]}", safetensors())
    (studio.models / "loras" / LORAS[1]).symlink_to(target)
    studio.put(f"loras/{LORAS[2]}", safetensors())
    studio.save("a.json", LORAS[1])
    ledger = studio.ledger()
    found = rows(ledger)
    assert [bool(found[lora]["named_by"]) for lora in LORAS[:3]] == [True, True, False]
    assert ledger["not_named_bytes"] == len(safetensors())
    assert ledger["total_bytes"] == 2 * len(safetensors())


def test_without_models_on_this_host_nothing_is_read(studio: Studio) -> None:
    shutil.rmtree(studio.models)
    found = json.loads(studio.run("models", "verify", "--format", "json").stdout)
    assert found["ended"] == "no model file was found here"


def _while_down(studio: Studio, other: str) -> dict[str, Any]:
    """The ledger with nothing at the server's address."""
    up, studio.url = studio.url, "http://127.0.0.1:9"
    try:
        ledger = studio.ledger("--against", other)
    finally:
        studio.url = up
    assert "the last full check" in ledger["source"]
    return ledger


def test_equal_sizes_are_not_said_to_be_the_same_and_equal_hashes_are(studio: Studio) -> None:
    for lora, content in zip(LORAS[:3], (b"same", b"same", b"size"), strict=True):
        studio.put(f"loras/{lora}", content * 999)
    assert studio.ledger()["same"] == []
    verified = studio.run("models", "verify", "--budget", "1MiB")
    assert verified.returncode == 0, verified.stderr
    (same,) = (ledger := studio.ledger())["same"]
    assert same["kind"] == "copied"
    assert [ledger["files"][n]["name"] for n in same["files"]] == LORAS[:2]


def test_what_verify_found_shows_in_the_ledger_and_in_the_report(studio: Studio) -> None:
    file = studio.put(f"checkpoints/{CHECKPOINTS[0]}", safetensors())
    studio.save("a.json", CHECKPOINTS[0])
    file.with_suffix(".metadata.json").write_text(json.dumps({"sha256": "ab" * 32}))
    done = studio.run("models", "verify", "--format", "json")
    assert done.returncode == 1
    (verified,) = json.loads(done.stdout)["files"]
    assert verified["outcome"] == "differs"
    row = rows(studio.ledger())[CHECKPOINTS[0]]
    assert row["sha256"] == verified["sha256"]
    assert row["state"] == "model_hash_differs"
    assert CHECKPOINTS[0].replace(".safetensors", ".metadata.json") in row["detail"]
    assert studio.run("check").returncode == 0
    report = json.loads((studio.folder / "state" / "latest.json").read_bytes())
    codes = {finding["code"] for finding in report["workflows"][0]["findings"]}
    assert "model_hash_differs" in codes


def test_verify_reads_nothing_while_the_server_works(studio: Studio, server: StandIn) -> None:
    studio.put(f"loras/{LORAS[0]}", b"weights")
    assert studio.run("check").returncode == 0
    server.behaviour = "busy:0,2"
    done = studio.run("models", "verify", "--format", "json")
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert (found["files"], found["ended"]) == ([], "the server works: 2 in its queue")
    server.behaviour = "500@/queue"
    found = json.loads(studio.run("models", "verify", "--format", "json").stdout)
    assert found["files"] == []
    assert "cannot be seen" in found["ended"]


def test_nothing_of_ours_is_written_beside_models(studio: Studio) -> None:
    studio.put(f"loras/{LORAS[0]}", b"weights")
    before = sorted(studio.folder.joinpath("ComfyUI").rglob("*"))
    studio.run("models")
    studio.run("models", "verify")
    assert sorted(studio.folder.joinpath("ComfyUI").rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["models", "--budget", "1GiB"], "--budget is for"),
        (["models", "verify", "--budget", "lots"], "no size"),
        (["models", "verify", "--html", "x"], "--html is for"),
        (["models", "verify", "--against", "gone.json"], "no such file"),
    ],
)
def test_what_makes_no_sense_is_refused(
    studio: Studio, arguments: list[str], sentence: str
) -> None:
    done = studio.run(*arguments)
    assert done.returncode == 2
    assert sentence in done.stderr


def test_with_neither_server_nor_report_nothing_can_be_said(studio: Studio) -> None:
    shutil.rmtree(studio.folder / "state", ignore_errors=True)
    studio.url = "http://127.0.0.1:9"
    done = studio.run("models")
    assert done.returncode == 78
    assert "no full check has left word" in done.stderr


def test_what_was_read_before_it_is_told_to_stop_is_kept(studio: Studio, server: StandIn) -> None:
    for lora in LORAS[:3]:
        studio.put(f"loras/{lora}", safetensors())
    running: list[subprocess.Popen[bytes]] = []
    asked = 0

    def queue(method: str, path: str, _: bytes) -> None:
        nonlocal asked
        if path == "/queue" and running:
            asked += 1
            if asked == 5:  # after that of the survey and two of the first file
                running[0].terminate()
                running[0].wait(60)

    server.posts = queue
    command = [sys.executable, "-m", "comfywatchman.cli", "models", "verify", "--config", "c.toml"]
    process = subprocess.Popen(
        [*command, "--comfyui-url", studio.url], cwd=studio.folder, stdout=subprocess.DEVNULL
    )
    running.append(process)
    assert process.wait(60) == 143
    kept = json.loads((studio.folder / "state" / "model-hashes.json").read_bytes())["files"]
    assert 1 <= len(kept) < 3
