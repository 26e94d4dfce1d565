"""The controller's wheel: the same for the same sources, a sentence when there can be none."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[3]
SCRIPT = CHECKOUT / "roles" / "comfywatchman" / "files" / "wheel.py"


def wheel(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SCRIPT, *arguments], capture_output=True, text=True, check=False
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    copy = tmp_path / "a checkout"
    shutil.copytree(
        CHECKOUT / "comfywatchman",
        copy / "comfywatchman",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(CHECKOUT / name, copy)
    return copy


def test_the_same_sources_give_the_same_wheel(checkout: Path) -> None:
    first = json.loads(wheel(checkout).stdout)
    for file in checkout.rglob("*.py"):
        os.utime(file, (1, 1))
    second = json.loads(wheel(checkout, "").stdout)
    assert first == second
    built = Path(first["path"])
    assert built == checkout / "dist" / first["name"]
    assert hashlib.sha256(built.read_bytes()).hexdigest() == first["sha256"]
    assert "comfywatchman/cli.py" in zipfile.ZipFile(built).namelist()


def test_other_sources_give_another_wheel(checkout: Path) -> None:
    first = json.loads(wheel(checkout).stdout)
    (checkout / "comfywatchman" / "more.py").write_text("")
    assert json.loads(wheel(checkout).stdout)["sha256"] != first["sha256"]


def test_a_wheel_that_is_there_is_taken(checkout: Path, tmp_path: Path) -> None:
    built = json.loads(wheel(checkout).stdout)
    elsewhere = shutil.copy(built["path"], tmp_path)
    assert json.loads(wheel("/nowhere", elsewhere).stdout) == {**built, "path": str(elsewhere)}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["/nowhere"], "/nowhere is no checkout of ComfyWatchman"),
        (
            ["/nowhere", "/nowhere/comfywatchman-1-py3-none-any.whl"],
            "comfywatchman_wheel: /nowhere/comfywatchman-1-py3-none-any.whl: No such file",
        ),
        (["/nowhere", str(SCRIPT)], "is no wheel of ComfyWatchman"),
    ],
)
def test_what_is_no_wheel_is_named(arguments: list[str], sentence: str) -> None:
    done = wheel(*arguments)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
