"""What the server sent is kept, whatever lies in its place, and not believed blindly."""

from __future__ import annotations

import hashlib
import os
import random
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from comfywatchman.comfyui.kept_workflows import KeptWorkflows, Packed, room_for
from comfywatchman.comfyui.userdata import SavedOnServer

if TYPE_CHECKING:
    from pathlib import Path

URL = "http://comfyui:8188"
RAW = b'{"nodes": []}'
A = SavedOnServer("default", "a.json", len(RAW), 1760000000000)
B = SavedOnServer("default", "\ud800/b\0.json", len(RAW), 1760000000000.5)
MOST = 1000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "server-workflows.sqlite3"


def put(file: Path | None, *saved: SavedOnServer, raw: bytes = RAW) -> str | None:
    with KeptWorkflows(file, URL) as kept:
        kept.open()
        for each in saved:
            kept.put(each, Packed.of(raw))
            assert kept.content(each, MOST) == raw
        return kept.trouble


def got(file: Path, saved: SavedOnServer, most: int = MOST) -> tuple[str | None, bytes | None]:
    with KeptWorkflows(file, URL) as kept:
        kept.open()
        return kept.digest(saved), kept.content(saved, most)


def test_what_is_listed_as_it_was_is_known(file: Path) -> None:
    assert put(file, A, B) is None
    assert {f.name for f in file.parent.iterdir()} == {file.name}
    known = (hashlib.sha256(RAW).hexdigest(), RAW)
    assert got(file, A) == got(file, B) == known
    for other in (
        SavedOnServer("default", "a.json", len(RAW), 1760000000001),
        SavedOnServer("default", "a.json", len(RAW) + 1, 1760000000000),
        SavedOnServer("default", "a.json", len(RAW)),
        SavedOnServer("anna", "a.json", len(RAW), 1760000000000),
    ):
        assert got(file, other) == (None, None)
    assert got(file, A, most=5)[1] is None


def test_an_answer_of_another_length_than_listed_is_asked_for_again(file: Path) -> None:
    put(file, SavedOnServer("default", "a.json", 99, 1.0))
    assert got(file, SavedOnServer("default", "a.json", 99, 1.0)) == (None, None)


def test_a_cycle_that_is_killed_leaves_what_was_sent_until_shortly_before(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("comfywatchman.comfyui.kept_workflows._COMMIT_EVERY", 0.0)
    killed = KeptWorkflows(file, URL)
    killed.put(A, Packed.of(RAW))
    monkeypatch.setattr("comfywatchman.comfyui.kept_workflows._COMMIT_EVERY", 100.0)
    killed.put(B, Packed.of(RAW))
    assert got(file, A)[1] == RAW
    assert got(file, B)[1] is None
    killed.__exit__(None, None, None)


def test_nothing_is_made_where_nothing_is_kept(file: Path) -> None:
    with KeptWorkflows(file, URL) as kept:
        kept.open()
        kept.note_asked(A)
        kept.keep_only([])
    assert list(file.parent.iterdir()) == []


@pytest.mark.parametrize("size", [0, 3, 100, 8192])
def test_a_damaged_file_is_set_aside(file: Path, size: int) -> None:
    put(file, A)
    whole = bytearray(file.read_bytes())
    noise = random.Random(size).randbytes(len(whole) - size) if size else b"no database at all"
    file.write_bytes(bytes(whole[:size]) + noise)
    trouble = put(file, B)
    assert trouble is not None
    assert f"{file} is damaged, is now {file.name}.damaged: the server is asked again" in trouble
    assert got(file, B)[1] == RAW


def test_content_that_is_not_what_it_was_is_not_given(file: Path) -> None:
    put(file, A)
    for content in (b"nonsense", Packed.of(b"another").content, "text", None):
        with closing(sqlite3.connect(file)) as database, database:
            database.execute("UPDATE workflow SET content = ?", (content,))
        assert got(file, A)[1] is None


def test_a_newer_schema_is_begun_anew(file: Path) -> None:
    put(file, A)
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("PRAGMA user_version = 99")
    assert got(file, A) == (None, None)
    assert put(file, A) is None


@pytest.mark.parametrize("kind", ["folder", "pipe", "link"])
def test_what_is_no_file_in_its_place_is_not_waited_for_nor_followed(file: Path, kind: str) -> None:
    target = file.with_name("target")
    if kind == "folder":
        file.mkdir()
    elif kind == "pipe":
        os.mkfifo(file)
    else:
        file.symlink_to(target)
    trouble = put(file, A)
    assert trouble is not None
    assert f"{file} cannot be used: " in trouble
    assert not target.exists()


def test_where_somebody_else_holds_it_the_cycle_goes_on(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(file, A)
    monkeypatch.setattr("comfywatchman.comfyui.workflow_database.WAIT", 0.1)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        trouble = put(file, B)
    assert trouble is not None
    assert "database is locked" in trouble
    assert got(file, A)[1] == RAW


def test_a_full_disk_costs_what_was_to_be_kept_and_nothing_else(file: Path) -> None:
    put(file, A)
    with KeptWorkflows(file, URL) as kept:
        kept.open()
        kept._database._database.execute("PRAGMA max_page_count = 10")  # type: ignore[union-attr]
        raw = random.Random(1).randbytes(200_000)
        for number in range(3):
            each = SavedOnServer("default", f"{number}.json", len(raw), 1.0)
            kept.put(each, Packed.of(raw))
            assert kept.content(each, len(raw)) == raw
        assert kept.content(A, MOST) == RAW
        assert "could not be written: database or disk is full" in str(kept.trouble)
    assert got(file, A)[1] == RAW


def test_what_there_is_no_room_for_is_known_by_its_digest(file: Path) -> None:
    with KeptWorkflows(file, URL, room=len(Packed.of(RAW).content)) as kept:
        kept.open()
        kept.put(A, Packed.of(RAW))
        kept.put(B, Packed.of(RAW))
        kept.put(A, Packed.of(RAW))
    digest = hashlib.sha256(RAW).hexdigest()
    assert got(file, A) == (digest, RAW)
    assert got(file, B) == (digest, None)


def test_no_room_is_taken_that_others_need(file: Path) -> None:
    assert room_for(file, 2**60) == 0
    assert 0 < room_for(file, 0) <= 256 * 1024**2
    assert room_for(file.parent / "none" / file.name, 0) == 0


def test_a_python_without_sqlite_keeps_it_in_memory(file: Path) -> None:
    program = """
import pathlib, sys
sys.modules["sqlite3"] = None
from comfywatchman.comfyui.kept_workflows import KeptWorkflows, Packed
from comfywatchman.comfyui.userdata import SavedOnServer
saved = SavedOnServer("default", "a.json", 2, 1.0)
with KeptWorkflows(pathlib.Path(sys.argv[1]), "http://comfyui") as kept:
    kept.open()
    kept.put(saved, Packed.of(b"{}"))
    print(kept.content(saved, 100), kept.trouble)
"""
    ended = subprocess.run(
        [sys.executable, "-c", program, file], capture_output=True, text=True, check=True
    )
    assert ended.stdout.startswith(f"b'{{}}' {file} cannot be used: this Python has no sqlite3")
    assert not file.exists()
