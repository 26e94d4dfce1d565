"""The bytes of each workflow are kept from first sight, with its last versions."""

from __future__ import annotations

import random
import sqlite3
import zlib
from contextlib import closing
from typing import TYPE_CHECKING

from comfywatchman.results import WorkflowReport
from tests.unit.history.cycles import digest, full, opened, row, when, workflow

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILE = "workflow-copies.sqlite3"
DAY = 12


def cycle(folder: Path, number: int, saved: Mapping[str, str], room: int = 10**6) -> list[str]:
    """A cycle in which these workflows have this content; what a person is told."""
    with opened(folder, copies_room=room) as history:
        reports = []
        for path, content in saved.items():
            if not history.copies.has(digest(content)):
                history.copies.put(path, digest(content), content.encode())
            reports.append(workflow(path, content=content))
        history.copies.commit()
        history.remember(row(number), full(number, reports))
    return history.notes


def kept(folder: Path, path: str) -> list[str]:
    """What is kept of a workflow, the newest first."""
    with opened(folder, readonly=True) as history:
        found = []
        for version in history.copies.versions(path):
            raw = history.copies.get(version.digest)
            assert raw is not None
            assert len(raw) == version.length
            found.append(raw.decode())
        return found


def test_the_present_version_and_the_last_three_are_kept(tmp_path: Path) -> None:
    for number in range(6):
        assert cycle(tmp_path, number, {"/w/a": f"version {number}"}) == []
    assert kept(tmp_path, "/w/a") == [f"version {number}" for number in (5, 4, 3, 2)]
    with opened(tmp_path) as history:
        assert not history.copies.has(digest("version 1"))
        assert history.copies.get(digest("version 1")) is None
        assert [each.present for each in history.copies.versions("/w/a")] == [True] + [False] * 3
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


def test_a_content_is_kept_once_and_as_long_as_anybody_has_it(tmp_path: Path) -> None:
    cycle(tmp_path, 0, {"/w/a": "same", "/w/b": "same"})
    assert kept(tmp_path, "/w/a") == kept(tmp_path, "/w/b") == ["same"]
    for number in range(1, 6):
        cycle(tmp_path, number, {"/w/a": f"{number}", "/w/b": "same"})
    assert "same" not in kept(tmp_path, "/w/a")
    assert kept(tmp_path, "/w/b") == ["same"]


def test_one_that_comes_back_to_what_it_was_is_that(tmp_path: Path) -> None:
    for number, content in enumerate(["a", "b", "a"]):
        cycle(tmp_path, number, {"/w/a": content})
    assert kept(tmp_path, "/w/a") == ["a", "b"]


def test_what_is_gone_is_kept_for_thirty_days(tmp_path: Path) -> None:
    cycle(tmp_path, 0, {"/w/a": "old", "/w/b": "b"})
    cycle(tmp_path, 1, {"/w/a": "new", "/w/b": "b"})
    cycle(tmp_path, 2, {"/w/b": "b"})
    cycle(tmp_path, 2 + 29 * DAY, {"/w/b": "b"})
    assert kept(tmp_path, "/w/a") == ["new", "old"]
    cycle(tmp_path, 3 + 30 * DAY, {"/w/b": "b"})
    assert kept(tmp_path, "/w/a") == []
    assert kept(tmp_path, "/w/b") == ["b"]


def test_where_room_is_short_old_versions_go_and_the_rest_is_told(tmp_path: Path) -> None:
    chance = random.Random(1)
    texts = [chance.randbytes(20_000).hex() for _ in range(6)]
    size = max(len(zlib.compress(text.encode())) for text in texts)
    room = 3 * size
    assert cycle(tmp_path, 0, {"/w/a": texts[0], "/w/b": texts[1]}, room) == []
    assert cycle(tmp_path, 1, {"/w/a": texts[2], "/w/b": texts[1]}, room) == []
    assert cycle(tmp_path, 2, {"/w/a": texts[2], "/w/b": texts[3]}, room) == []
    assert kept(tmp_path, "/w/a") == [texts[2]]
    assert kept(tmp_path, "/w/b") == [texts[3], texts[1]]
    everything = {"/w/a": texts[2], "/w/b": texts[3], "/w/c": texts[4], "/w/d": texts[5]}
    for number in (3, 4):
        (told,) = cycle(tmp_path, number, everything, room)
        assert "has no room for /w/d: should one change" in told
    assert kept(tmp_path, "/w/c") == [texts[4]]
    assert kept(tmp_path, "/w/d") == []
    assert (tmp_path / FILE).stat().st_size < room + 80_000


def test_off_leaves_what_is_there(tmp_path: Path) -> None:
    cycle(tmp_path, 0, {"/w/a": "a"})
    before = (tmp_path / FILE).read_bytes()
    cycle(tmp_path, 1, {"/w/a": "b"}, room=0)
    assert (tmp_path / FILE).read_bytes() == before
    with opened(tmp_path, copies_room=0) as history:
        assert history.copies.get(digest("a")) is None


def test_hostile_names_are_names(tmp_path: Path) -> None:
    names = ["\ud800", "a\0b", "a", "'; DROP TABLE seen; --", "x" * 10_000]
    with opened(tmp_path) as history:
        for name in names:
            history.copies.put(name, digest(repr(name)), repr(name).encode())
        found = [WorkflowReport(path=f"{n}", name="", verdict="unknown") for n in range(len(names))]
        history.copies.settle(
            [
                report.model_copy(update={"path": name, "content_digest": digest(repr(name))})
                for report, name in zip(found, names, strict=True)
            ],
            0,
        )
    for name in names:
        assert kept(tmp_path, name) == [repr(name)]


def test_what_is_not_as_it_was_is_not_given(tmp_path: Path) -> None:
    cycle(tmp_path, 0, {"/w/a": "a"})
    for content in (b"nonsense", zlib.compress(b"another")):
        with closing(sqlite3.connect(tmp_path / FILE)) as connection, connection:
            connection.execute("UPDATE content SET packed = ?", (content,))
        with opened(tmp_path) as history:
            assert history.copies.get(digest("a")) is None


def test_one_that_cannot_be_read_is_not_gone(tmp_path: Path) -> None:
    cycle(tmp_path, 0, {"/w/a": "a"})
    unread = WorkflowReport(path="/w/a", name="a", verdict="unknown")
    with opened(tmp_path) as history:
        history.remember(row(1), full(1, [unread]))
        (version,) = history.copies.versions("/w/a")
    assert version.present
    assert version.seen == when(0)


def test_what_a_killed_cycle_kept_goes_unless_somebody_has_it(tmp_path: Path) -> None:
    with opened(tmp_path) as history:
        for content in ("a", "b"):
            history.copies.put("/w/a", digest(content), content.encode())
        history.copies.commit()
    cycle(tmp_path, 0, {"/w/a": "b"})
    with opened(tmp_path) as history:
        assert [history.copies.has(digest(content)) for content in ("a", "b")] == [False, True]


def test_without_a_history_copies_are_kept_all_the_same(tmp_path: Path) -> None:
    with opened(tmp_path, days=0) as history:
        history.copies.put("/w/a", digest("a"), b"a")
        history.remember(row(0), full(0, [workflow("/w/a", content="a")]))
    assert kept(tmp_path, "/w/a") == ["a"]
    assert not (tmp_path / "history.sqlite3").exists()
