"""What is said of a model file tells how many bytes lack, and what exactly to do."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest

from comfywatchman.catalogue import catalogue
from comfywatchman.modelfiles.condition import NOT_SURE, Condition
from comfywatchman.modelfiles.inspecting import inspect
from comfywatchman.modelfiles.telling import finding
from comfywatchman.results import FixKind, Severity, SubjectKind
from tests.unit.modelfiles import making

if TYPE_CHECKING:
    from pathlib import Path

    from comfywatchman.results import Finding

OID = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393"


def told(folder: Path, raw: bytes, name: str = "sdxl/a.safetensors") -> Finding:
    file = folder / name.replace("\\", "/").rpartition("/")[2]
    file.write_bytes(raw)
    found = finding(inspect(str(file), 0), "checkpoints", name)
    assert found is not None
    assert (found.subject.kind, found.subject.folder) == (SubjectKind.MODEL, "checkpoints")
    assert found.severity is Severity.WARNING
    (fix,) = found.fixes
    assert fix.kind is FixKind.BY_HAND
    return found


def test_of_a_file_in_order_nothing_is_said() -> None:
    assert finding(Condition(format="gguf"), "unet", "a.gguf") is None


def test_how_many_bytes_lack(tmp_path: Path) -> None:
    found = told(tmp_path, making.weights()[:-100])
    assert found.code == "model_truncated"
    assert found.message.startswith(
        "the model file 'sdxl/a.safetensors' in 'checkpoints' cannot be loaded: it is cut off"
    )
    assert found.fixes[0].text == (
        "100 bytes lack: if it is being downloaded or copied, wait; otherwise download it again, "
        "to another name first, and put that in its place."
    )
    found = told(tmp_path, making.weights()[:60])
    assert found.fixes[0].text.startswith("At least ")


@pytest.mark.parametrize("name", ["sdxl/a.safetensors", "sdxl\\a.safetensors", "a.safetensors"])
def test_what_a_pointer_stands_for(tmp_path: Path, name: str) -> None:
    (fix,) = told(tmp_path, making.POINTER, name).fixes
    assert fix.command == "git lfs pull --include=a.safetensors"
    assert fix.text == (
        f"Run in the clone that it is in: {fix.command}; or download the file of 12,345,678,901 "
        f"bytes (11.5 GiB) with the SHA-256 {OID}, and put it in the pointer's place."
    )


def test_a_pointer_with_a_hostile_name(tmp_path: Path) -> None:
    (fix,) = told(tmp_path, making.POINTER, "a; rm -rf ~ '.safetensors").fixes
    assert fix.command == """git lfs pull --include='a; rm -rf ~ '"'"'.safetensors'"""
    (fix,) = told(tmp_path, making.POINTER, "a\n\x1b[2J.safetensors").fixes
    assert fix.command is None
    assert "\n" not in fix.text
    (fix,) = told(tmp_path, making.POINTER, "--x.safetensors").fixes
    assert fix.command == "git lfs pull --include=--x.safetensors"


def test_a_pointer_that_is_cut_off(tmp_path: Path) -> None:
    (fix,) = told(tmp_path, making.POINTER[:60]).fixes
    assert fix.command == "git lfs pull --include=a.safetensors"
    assert "download" in fix.text


@pytest.mark.parametrize(
    ("name", "raw", "better"),
    [
        ("x/a.safetensors", making.gguf_by_hand(), "'x/a.gguf'"),
        ("a.ckpt", making.weights(), "'a.safetensors'"),
        ("a.gguf", making.torch_zip(), "'a.pth'"),
        ("a.b.sft", making.pickled(), "'a.b.pth'"),
    ],
    ids=count(),
)
def test_a_better_ending(tmp_path: Path, name: str, raw: bytes, better: str) -> None:
    (fix,) = told(tmp_path, raw, name).fixes
    assert fix.text.startswith(f"Rename it to {better}, and choose that in the workflow")


@pytest.mark.parametrize("code", [code.name for code in catalogue()])
def test_every_code_of_a_model_file_has_an_advice(code: str) -> None:
    if not code.startswith(("model_", "safetensors_", "gguf_", "torch_")):
        return
    found = finding(Condition(code, "gguf", "it is so", lacking=3), "loras", "a\x1b.pt")
    assert found is not None
    assert found.fixes[0].text
    assert "\x1b" not in found.message
    certain = code not in NOT_SURE
    assert ("cannot be loaded" in found.message) is certain
