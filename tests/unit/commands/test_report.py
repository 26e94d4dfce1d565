"""``comfywatchman report``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfywatchman import state_files
from comfywatchman.errors import Exit
from tests.unit.program import run

if TYPE_CHECKING:
    from pathlib import Path


def test_a_report_that_is_not_there_makes_no_folder(tmp_path: Path) -> None:
    assert run("report", "--state-dir", tmp_path / "none").returncode == Exit.CONFIG
    assert not (tmp_path / "none").exists()


def test_report_before_there_is_one_and_of_a_damaged_one(tmp_path: Path) -> None:
    ended = run("report", "--state-dir", tmp_path)
    assert ended.returncode == Exit.CONFIG
    assert "there is no report yet" in ended.stderr
    (tmp_path / state_files.LATEST).write_text("{}")
    ended = run("report", "--state-dir", tmp_path)
    assert ended.returncode == Exit.CONFIG
    assert "is damaged or of another version" in ended.stderr
