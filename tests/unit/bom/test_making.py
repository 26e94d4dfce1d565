"""The bill of materials of one workflow."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING

import pytest

from comfywatchman.bom import input_files
from comfywatchman.bom.checking import compare
from comfywatchman.bom.making import bill
from comfywatchman.modelfiles.hashes import Hashes, Known
from comfywatchman.results import Bom, Verdict
from comfywatchman.workflow.find import WorkflowCopy
from tests.unit.bom import worlds
from tests.unit.modelfiles.files import listed, written

if TYPE_CHECKING:
    from pathlib import Path

    from comfywatchman.bom.making import Host


def test_it_names_everything_that_the_workflow_needs_and_nothing_else() -> None:
    bom = worlds.made()
    assert (bom.comfyui.version, bom.comfyui.commit) == ("0.30.0", "c0" * 20)
    [pack] = bom.packs
    assert (pack.name, pack.folder, pack.version) == ("Acme-Tools", "Acme-Tools", "1.2.0")
    assert (pack.commit, pack.url) == ("a1" * 20, "https://github.com/Acme/Acme-Tools")
    assert [t.name for t in bom.node_types] == ["LoadImage", "Loader", "SaveImage", "Sharpen"]
    sharpen = bom.node_types[-1]
    assert sharpen.pack == "Acme-Tools"
    assert sharpen.choices == {"mode": ["soft"]}
    assert sharpen.numbers == {"strength": [1.5, 1.5]}
    assert sharpen.given == {"image": 1, "mode": 1, "model": 1, "strength": 1}
    assert sharpen.outputs_used == [0]
    [model] = bom.models
    assert (model.folder, model.name, model.size) == ("checkpoints", "big.safetensors", 1_000)
    assert (model.present, model.sha256, model.url) == (True, None, None)
    [file] = bom.inputs
    assert (file.name, file.size, file.sha256) == ("photo.png", 77, None)
    assert bom.workflow.form == "prompt"


def test_the_same_workflow_has_the_same_bill() -> None:
    one, other = (json.loads(worlds.made().model_dump_json()) for _ in range(2))
    del one["generated_at"], other["generated_at"]
    assert one == other


def test_files_of_the_host_are_not_in_its_digests() -> None:
    few, many = worlds.host(), worlds.host(models=("big.safetensors", "x.safetensors"))
    assert worlds.made(few).node_types == worlds.made(many).node_types


def test_an_input_is_hashed_and_one_that_leads_elsewhere_is_not(tmp_path: Path) -> None:
    (tmp_path / "input").mkdir()
    (tmp_path / "input" / "photo.png").write_bytes(b"pixels")
    there = worlds.host(folders={"input": tmp_path / "input"})
    [file] = bill(worlds.workflow(), there).inputs
    assert (file.size, file.sha256) == (6, hashlib.sha256(b"pixels").hexdigest())
    (tmp_path / "secret").write_bytes(b"x")
    (tmp_path / "input" / "photo.png").unlink()
    (tmp_path / "input" / "photo.png").symlink_to(tmp_path / "secret")
    [file] = bill(worlds.workflow(), there).inputs
    assert file.sha256 is None
    (tmp_path / "input" / "photo.png").unlink()
    os.mkfifo(tmp_path / "input" / "photo.png")
    [file] = bill(worlds.workflow(), there).inputs
    assert file.sha256 is None


def test_a_large_input_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "photo.png").open("wb") as file:
        file.truncate(input_files.LARGEST + 1)
    [known] = bill(worlds.workflow(), worlds.host(folders={"input": tmp_path})).inputs
    assert (known.size, known.sha256) == (input_files.LARGEST + 1, None)


def test_address_and_hash_come_from_the_workflow() -> None:
    entry = {
        "name": "big.safetensors",
        "directory": "checkpoints",
        "url": worlds.URL,
        "hash": worlds.SHA.upper(),
        "hash_type": "SHA256",
    }
    other = {**entry, "directory": "vae", "url": "https://example.com/other"}
    prompt = {**worlds.PROMPT, "extra": {"class_type": "Note", "models": [None, 3, other, entry]}}
    [model] = bill(worlds.workflow(prompt), worlds.host()).models
    assert (model.url, model.sha256, model.sha256_from) == (worlds.URL, worlds.SHA, "workflow")
    entry["url"] = (
        "https://civitai.com/api/download/models/1?token=0123456789abcdef0123456789abcdef"
    )
    [model] = bill(worlds.workflow(prompt), worlds.host()).models
    assert model.url == "https://civitai.com/api/download/models/1"


@pytest.mark.parametrize(("later", "known"), [(0, worlds.SHA), (60, None)])
def test_what_the_client_of_hugging_face_noted_holds_until_the_file_is_written_to(
    tmp_path: Path, later: int, known: str | None
) -> None:
    file = written(tmp_path / "big.safetensors")
    note = tmp_path / ".cache" / "huggingface" / "download" / "big.safetensors.metadata"
    note.parent.mkdir(parents=True)
    note.write_text(f"{'c' * 40}\n{worlds.SHA}\n1000.5\n")
    os.utime(file.path, (1000 + later, 1000 + later))
    [model] = bill(worlds.workflow(), with_files(tmp_path, "big.safetensors")).models
    assert (model.sha256, model.sha256_from) == (known, known and "huggingface")


def with_files(folder: Path, *names: str, state: Path | None = None) -> Host:
    files = [listed(folder / name, "checkpoints") for name in names]
    hashes = Hashes.read(folder if state is None else state)
    known = {("checkpoints", file.name): file for file in files}
    return worlds.host(model_files=known, hashes=hashes)


def test_what_was_read_of_a_file_counts_more_than_what_others_say_and_only_while_it_is_true(
    tmp_path: Path,
) -> None:
    file = written(tmp_path / "big.safetensors")
    hashes = Hashes(tmp_path)
    hashes.put(file, Known(file.size, file.mtime_ns, "cd" * 32, 1.0, 2.0, "cd" * 32))
    hashes.write()
    entry = {"name": "big.safetensors", "hash": worlds.SHA}
    prompt = {**worlds.PROMPT, "extra": {"class_type": "Note", "models": [entry]}}
    [model] = bill(worlds.workflow(prompt), with_files(tmp_path, "big.safetensors")).models
    assert (model.sha256, model.sha256_from) == ("cd" * 32, "read")
    os.utime(file.path, (1000, 1000))
    [model] = bill(worlds.workflow(prompt), with_files(tmp_path, "big.safetensors")).models
    assert (model.sha256, model.sha256_from) == (worlds.SHA, "workflow")


def test_what_lacks_already_is_in_it_too() -> None:
    declared = worlds.types()
    del declared["Sharpen"]
    bom = worlds.made(worlds.host(declared, models=("small.safetensors",), inputs=()))
    assert bom.workflow.verdict is Verdict.BROKEN
    assert bom.node_types[-1].name == "Sharpen"
    assert bom.node_types[-1].digest is None
    assert [m.present for m in bom.models] == [False]
    assert [i.present for i in bom.inputs] == [False]


def test_hostile_names_are_made_visible() -> None:
    evil = "a\n\x1b[2J.safetensors"
    declared = worlds.types()
    declared["Sharpen"]["input"]["required"]["\udcff\n"] = ["FLOAT", {"max": float("inf")}]
    prompt = {**worlds.PROMPT, "1": {"class_type": "Loader", "inputs": {"ckpt_name": evil}}}
    raw = json.dumps({**prompt, "9": {"class_type": "\x07", "inputs": {"x\n": evil}}}).encode()
    there = worlds.host(declared, models=(evil,))
    text = bill(WorkflowCopy("/w/a", "a", raw), there).model_dump_json()
    assert "\\\\x1b[2J" in text
    assert "\x1b" not in text
    again = Bom.model_validate_json(text)
    found = compare(again, there, "f").differences
    assert not [d for d in found if d.kind in ("model", "input_file")]
