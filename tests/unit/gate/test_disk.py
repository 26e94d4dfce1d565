"""The disk gate: can the reports be written."""

from __future__ import annotations

import errno
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from comfywatchman import room
from comfywatchman.gate import disk
from tests.faults.disk import mounted

if TYPE_CHECKING:
    from pathlib import Path


def test_room_enough(tmp_path: Path) -> None:
    answer = disk.probe(tmp_path, 1)
    assert answer.ok
    assert answer.reason.endswith(f" MiB free at {tmp_path}")


def test_room_where_files_are_not_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "statvfs")
    usage = (100 * 2**30, 98 * 2**30, 2 * 2**30)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(*usage))
    assert room.at(tmp_path) == room.Room(2 * 2**30, None)
    assert disk.probe(tmp_path, 1).reason == f"2,048 MiB free at {tmp_path}"


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


def test_room_for_bytes_but_not_for_files(tmp_path: Path) -> None:
    with mounted(tmp_path, 8 * 1024**2, files=20) as disk_:
        if isinstance(disk_, str):
            pytest.skip(disk_)
        folder = disk_.path
        assert disk.probe(folder, 1024).ok
        made = 0
        with pytest.raises(OSError, match="No space left") as raised:  # noqa: PT012
            while True:
                (folder / f"ballast {made}").write_bytes(b"")
                made += 1
        answer = disk.probe(folder, 1024)
        assert not answer.ok
        assert answer.reason.startswith("only 0 further files can be made at ")
        assert "remove files there (`df -i` counts them)" in answer.reason
        assert disk.probe(folder, 0).ok
        assert room.why(raised.value, folder).startswith("no further file can be made there")
        assert "large ones alone do not help" in str(room.remedy(raised.value, folder))


@pytest.mark.parametrize(
    ("number", "why", "remedy"),
    [
        (errno.ENOSPC, "No space left on device", "make room there"),
        (errno.EDQUOT, "Disk quota exceeded", "have it raised"),
        (errno.EIO, "Input/output error", "None"),
    ],
)
def test_what_is_said_of_an_error(tmp_path: Path, number: int, why: str, remedy: str) -> None:
    error = OSError(number, os.strerror(number))
    assert room.why(error, tmp_path) == why
    assert remedy in str(room.remedy(error, tmp_path))
    assert room.why(error, tmp_path / "gone") == why
