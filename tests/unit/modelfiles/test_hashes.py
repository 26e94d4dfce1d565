"""What is kept of files that were read as a whole."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

import pytest

from comfywatchman import state_files
from comfywatchman.modelfiles.hashes import Hashes, Known
from tests.unit.modelfiles.files import listed, written

if TYPE_CHECKING:
    from pathlib import Path


def known(file: object, now: str = "a") -> Known:
    return Known(file.size, file.mtime_ns, "a", 1.5, 2.5, now, ("x",))  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["a.pt", "日本.pt", "bad \udcff.pt", "line\nbreak.pt"])
def test_it_outlasts_the_process(tmp_path: Path, name: str) -> None:
    file = written(tmp_path / name)
    hashes = Hashes(tmp_path)
    hashes.put(file, known(file))
    hashes.write()
    again = Hashes.read(tmp_path)
    assert again.damage is None
    assert again.of(file) == known(file)
    kept = tmp_path / state_files.MODEL_HASHES
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_a_file_that_was_changed_is_not_known(tmp_path: Path) -> None:
    file = written(tmp_path / "a.pt")
    hashes = Hashes(tmp_path)
    hashes.put(file, known(file))
    (tmp_path / "a.pt").write_bytes(b"other, and longer")
    assert hashes.of(listed(tmp_path / "a.pt")) is None


def test_what_is_wrong(tmp_path: Path) -> None:
    file = written(tmp_path / "a.pt")
    assert "another one than on 1970-01-01" in known(file, "b").wrong
    assert "is not what x says" in known(file).wrong


@pytest.mark.parametrize(
    "content",
    [
        *("", "{", "[]", '{"files": 3}', '{"files": {"/a": {}}}', "\0"),
        json.dumps({"files": {"/a": {"size": "x"}}}),
        json.dumps(
            {
                "files": {
                    "/a": {
                        "size": 1,
                        "mtime_ns": 1,
                        "first_at": 1e300,
                        "checked_at": 1,
                        "sha256": "",
                        "now": "",
                        "differs": [],
                    }
                }
            }
        ),
    ],
)
def test_a_damaged_file_is_told_and_set_aside(tmp_path: Path, content: str) -> None:
    kept = tmp_path / state_files.MODEL_HASHES
    kept.write_text(content)
    assert "is damaged" in str(Hashes.read(tmp_path).damage)
    assert kept.exists()
    assert "is now" in str(Hashes.read(tmp_path, set_aside=True).damage)
    assert not kept.exists()


def test_what_is_gone_is_known_by_its_path_and_what_was_changed_is_not(tmp_path: Path) -> None:
    gone, changed, same = (
        written(tmp_path / name) for name in ("gone.pt", "changed.pt", "same.pt")
    )
    hashes = Hashes(tmp_path)
    for file in (gone, changed, same):
        hashes.put(file, known(file))
    (tmp_path / "changed.pt").write_bytes(b"other, and longer")
    found = hashes.of_paths([listed(tmp_path / "changed.pt"), same])
    assert found == {gone.path: ("a", gone.size), same.path: ("a", same.size)}
