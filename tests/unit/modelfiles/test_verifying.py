"""Reading whole files, and comparing them with what is written down of them."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from comfywatchman.modelfiles import reading_whole, verifying
from comfywatchman.modelfiles.expected import Expected
from comfywatchman.modelfiles.hashes import Hashes
from comfywatchman.modelfiles.model import Outcome
from tests.unit.modelfiles.files import listed, written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from comfywatchman.comfyui.model_files import ModelFile
    from comfywatchman.modelfiles.model import Verification, VerifiedFile


def nothing(_: object) -> None:
    """Nothing is done."""


def verify(
    folder: Path,
    files: Sequence[ModelFile],
    expected: Callable[[ModelFile], Iterable[Expected]] = lambda _: (),
    budget: int = 10**9,
    busy: Callable[[], str] = lambda: "",
    told: Callable[[VerifiedFile], None] = nothing,
) -> Verification:
    return verifying.verify(
        verifying.Task(files, expected, budget, busy, told), Hashes.read(folder, set_aside=True)
    )


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def outcomes(found: Verification) -> dict[str, str]:
    return {file.name: file.outcome.value for file in found.files}


def test_the_first_time_and_the_second(tmp_path: Path) -> None:
    file = written(tmp_path / "a.pt")
    first = verify(tmp_path, [file])
    assert outcomes(first) == {"a.pt": "first"}
    assert first.files[0].sha256 == sha(b"weights")
    assert (first.bytes_read, first.ended, first.bad) == (7, "every file was read", [])
    assert outcomes(verify(tmp_path, [file])) == {"a.pt": "agrees"}


def test_what_is_written_down_is_compared(tmp_path: Path) -> None:
    file = written(tmp_path / "a.pt")
    right, wrong = Expected("a note", (sha(b"weights"),)), Expected("another", ("0" * 64,))
    found = verify(tmp_path, [file], lambda _: [right])
    assert (outcomes(found), found.bad) == ({"a.pt": "agrees"}, [])
    found = verify(tmp_path, [file], lambda _: [right, wrong])
    assert [each.name for each in found.bad] == ["a.pt"]
    assert [(each.source, each.agrees) for each in found.bad[0].said] == [
        ("a note", True),
        ("another", False),
    ]
    known = Hashes.read(tmp_path).of(file)
    assert known is not None
    assert "not what another says" in known.wrong


def test_what_rots_is_found_however_often_it_is_read(tmp_path: Path) -> None:
    file = written(tmp_path / "a.pt")
    verify(tmp_path, [file])
    (tmp_path / "a.pt").write_bytes(b"weighty")
    os.utime(tmp_path / "a.pt", ns=(file.mtime_ns, file.mtime_ns))
    for _ in range(2):
        found = verify(tmp_path, [listed(tmp_path / "a.pt")])
        assert outcomes(found) == {"a.pt": "rotten"}
        assert found.bad
    (tmp_path / "a.pt").write_bytes(b"weights")
    os.utime(tmp_path / "a.pt", ns=(file.mtime_ns, file.mtime_ns))
    assert outcomes(verify(tmp_path, [listed(tmp_path / "a.pt")])) == {"a.pt": "agrees"}


def test_a_file_that_was_changed_is_new(tmp_path: Path) -> None:
    verify(tmp_path, [written(tmp_path / "a.pt")])
    found = verify(tmp_path, [written(tmp_path / "a.pt", b"new weights")])
    assert outcomes(found) == {"a.pt": "first"}


def test_what_was_read_longest_ago_comes_first_within_the_budget(tmp_path: Path) -> None:
    files = [written(tmp_path / f"{n}.pt", bytes(10)) for n in range(5)]
    read = [[f.name for f in verify(tmp_path, files, budget=25).files] for _ in range(3)]
    assert read == [["0.pt", "1.pt"], ["2.pt", "3.pt"], ["4.pt", "0.pt"]]


def test_the_budget_is_never_exceeded(tmp_path: Path) -> None:
    files = [written(tmp_path / "large.pt", bytes(100)), written(tmp_path / "small.pt", bytes(10))]
    found = verify(tmp_path, files, budget=50)
    assert outcomes(found) == {"small.pt": "first"}
    assert (found.bytes_read, found.files_left, found.too_large) == (10, 1, 1)
    assert "larger than the budget" in found.ended


def test_one_file_under_two_names_is_read_once(tmp_path: Path) -> None:
    file = written(tmp_path / "a.pt")
    os.link(tmp_path / "a.pt", tmp_path / "b.pt")
    (tmp_path / "c.pt").symlink_to(tmp_path / "a.pt")
    files = [listed(tmp_path / name) for name in ("a.pt", "b.pt", "c.pt")]
    found = verify(tmp_path, files)
    assert (len(found.files), found.bytes_read, found.files_left) == (1, file.size, 0)
    hashes = Hashes.read(tmp_path)
    assert all(hashes.of(each) for each in files)


def test_a_queue_that_fills_stops_it(tmp_path: Path) -> None:
    large = 3 * reading_whole.CHUNK
    files = [written(tmp_path / f"{n}.pt", bytes(large)) for n in range(2)]
    asked = iter(["", "", "", "", "", "", "the server works"])
    found = verify(tmp_path, files, busy=lambda: next(asked))
    assert outcomes(found) == {"0.pt": "first"}
    assert (found.ended, found.files_left, found.never_read) == ("the server works", 1, 1)
    found = verify(tmp_path, files, busy=lambda: "it works")
    assert (found.files, found.bytes_read, found.ended) == ([], 0, "it works")
    assert outcomes(verify(tmp_path, files, budget=large)) == {"1.pt": "first"}


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_bytes(b"x" * path.stat().st_size),
        lambda path: path.write_bytes(b"longer" * path.stat().st_size),
        lambda path: path.write_bytes(b""),
        lambda path: path.unlink(),
        lambda path: path.with_name("new").replace(path),
    ],
)
def test_a_file_that_changes_while_it_is_read_is_not_judged(
    tmp_path: Path, change: Callable[[Path], object]
) -> None:
    path = tmp_path / "a.pt"
    file = written(path, bytes(2 * reading_whole.CHUNK))
    written(tmp_path / "new", bytes(2 * reading_whole.CHUNK))
    times = iter(range(9))

    def busy() -> str:
        if next(times) == 2:
            change(path)
        return ""

    found = verify(tmp_path, [file], lambda _: [Expected("x", ("0" * 64,))], busy=busy)
    assert found.files[0].outcome in (Outcome.CHANGED, Outcome.UNREADABLE)
    assert found.bad == []
    assert Hashes.read(tmp_path).of(file) is None


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    gone, pipe = written(tmp_path / "gone.pt"), written(tmp_path / "pipe.pt")
    (tmp_path / "gone.pt").unlink()
    (tmp_path / "pipe.pt").unlink()
    os.mkfifo(tmp_path / "pipe.pt")
    told: list[str] = []
    found = verify(tmp_path, [gone, pipe], told=lambda file: told.append(file.name))
    assert set(outcomes(found).values()) == {"unreadable"}
    assert told == ["gone.pt", "pipe.pt"]


def test_what_a_file_held_outlasts_a_night_in_which_it_is_not_seen_but_no_year(
    tmp_path: Path,
) -> None:
    a, b = written(tmp_path / "a.pt"), written(tmp_path / "b.pt")
    verify(tmp_path, [a, b])
    verify(tmp_path, [b])  # a folder hangs, or the server is down that knows of it
    os.pwrite(descriptor := os.open(a.path, os.O_WRONLY), b"W", 0)
    os.close(descriptor)
    os.utime(a.path, ns=(a.mtime_ns, a.mtime_ns))
    assert outcomes(verify(tmp_path, [listed(tmp_path / "a.pt"), b]))["a.pt"] == "rotten"
    hashes = Hashes.read(tmp_path)
    known = hashes.of(a)
    assert known is not None
    hashes.put(a, replace(known, checked_at=known.checked_at - 366 * 86_400))
    hashes.write()
    verify(tmp_path, [b])
    assert Hashes.read(tmp_path).of(a) is None


def test_a_killed_run_is_gone_on_with(tmp_path: Path) -> None:
    files = [written(tmp_path / f"{n}.pt") for n in range(3)]
    asked = iter(range(99))

    def busy() -> str:
        if next(asked) == 4:
            raise KeyboardInterrupt
        return ""

    with pytest.raises(KeyboardInterrupt):
        verify(tmp_path, files, busy=busy)
    known = [Hashes.read(tmp_path).of(file) is not None for file in files]
    assert known == [True, False, False]


def test_this_process_waits_for_all_others() -> None:
    child = os.fork()
    if child == 0:
        reading_whole.be_last_in_turn()
        os._exit(os.getpriority(os.PRIO_PROCESS, 0))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 19


@pytest.mark.skipif(shutil.which("fincore") is None, reason="fincore of util-linux is not there")
def test_the_systems_cache_is_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    path.write_bytes(os.urandom(3 * reading_whole.CHUNK))

    def cached() -> int:
        command = ["fincore", "-nb", "-o", "RES", str(path)]
        return int(subprocess.run(command, capture_output=True, check=True).stdout)

    def read() -> None:
        reading_whole.read(os.fspath(path), 10**9, lambda: True, nothing)

    with path.open("rb") as stream:
        os.fsync(stream.fileno())
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        if cached():
            pytest.skip("this file system keeps all it has in memory")
        read()
        assert cached() < reading_whole.CHUNK
        stream.read()
    in_use = cached()
    read()
    assert cached() == in_use
