"""The disk gate: can the reports be written."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from comfywatchman.gate import disk

if TYPE_CHECKING:
    from pathlib import Path


def test_room_enough(tmp_path: Path) -> None:
    answer = disk.probe(tmp_path, 1)
    assert answer.ok
    assert answer.reason.endswith(f" MiB free at {tmp_path}")


def test_too_little_room(tmp_path: Path) -> None:
    answer = disk.probe(tmp_path, shutil.disk_usage(tmp_path).free + 2**50)
    assert not answer.ok
    assert answer.reason.startswith("only ")
    assert "make room, or lower min_free_disk" in answer.reason


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    answer = disk.probe(tmp_path / "gone", 0)
    assert not answer.ok
    assert f"{tmp_path / 'gone'} cannot be looked at: No such file" in answer.reason


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    tmp_path.chmod(0o500)
    answer = disk.probe(tmp_path, 0)
    tmp_path.chmod(0o700)
    assert not answer.ok
    assert "cannot be written by this user; correct its owner or mode" in answer.reason
