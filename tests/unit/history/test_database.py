"""Whatever lies in the place of a history, a cycle goes on, and a person is told."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comfywatchman.history import database, migrations
from comfywatchman.history.error import HistoryError
from comfywatchman.results import Outcome
from tests.faults.disk import mounted
from tests.unit.history.cycles import (
    broken,
    digest,
    environment,
    full,
    opened,
    remember,
    report,
    row,
    when,
    workflow,
    world,
)

if TYPE_CHECKING:
    from comfywatchman.history.store import History

FILE = "history.sqlite3"
COPIES = "workflow-copies.sqlite3"


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A folder with a history of three cycles."""
    for number, found in enumerate([workflow("/w/a"), broken("/w/a"), workflow("/w/a")]):
        facts = environment(p=f"{number}")
        remember(tmp_path, number, [found, broken("/w/b")], facts=facts, rests_on=world("A"))
    with opened(tmp_path) as history:
        history.copies.put("/w/a", digest("raw"), b"raw")
        history.copies.commit()
    return tmp_path


def ask_everything(history: History) -> None:
    """Ask all there is; nothing is raised, whatever the answers are."""
    if previous := history.previous():
        previous.facts()
        previous.world()
        for path in previous.states:
            previous.report(path)
            previous.known(path)
    history.past(when(0))
    history.timeline(when(0), 10)
    history.events()
    history.events(workflow="/w/a")
    history.report_at(when(9))
    history.facts_at(when(0))
    history.last_good("/w/a")
    history.cycles(when(0))
    history.copies.get(digest("raw"))
    history.copies.versions("/w/a")


@pytest.mark.parametrize("kind", ["folder", "pipe", "link", "dangling link"])
def test_what_is_no_file_in_its_place_is_not_waited_for_nor_followed(
    tmp_path: Path, kind: str
) -> None:
    file, target = tmp_path / FILE, tmp_path / "target"
    if kind == "folder":
        file.mkdir()
    elif kind == "pipe":
        os.mkfifo(file)
    else:
        file.symlink_to(target)
        if kind == "link":
            target.touch()
    for readonly in (True, False):
        with opened(tmp_path, readonly=readonly) as history:
            ask_everything(history)
            assert history.trouble is not None
            assert f"{file} cannot be used: " in history.trouble
            assert history.notes == [history.trouble]
            with pytest.raises(HistoryError, match="cannot be used"):
                history.remember(row(0), None)
    assert not target.exists() or target.read_bytes() == b""


def test_who_only_looks_makes_nothing(tmp_path: Path, kept: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with opened(empty, readonly=True) as history:
        ask_everything(history)
        assert history.notes == []
    assert list(empty.iterdir()) == []
    before = (kept / FILE).read_bytes()
    with opened(kept, readonly=True, days=0, copies_room=0) as history:
        assert history.previous() is not None
        assert history.copies.get(digest("raw")) == b"raw"
        with pytest.raises(HistoryError):
            history.remember(row(9), None)
    assert (kept / FILE).read_bytes() == before


def test_a_new_one_is_kept_in_no_older_form(kept: Path) -> None:
    assert not [file for file in kept.iterdir() if ".before-" in file.name]


def test_a_newer_one_is_read_and_left_alone(kept: Path) -> None:
    execute(kept, "PRAGMA user_version = 99")
    before = (kept / FILE).read_bytes()
    with opened(kept) as history:
        assert history.trouble is not None
        assert "was written by a newer ComfyWatchman" in history.trouble
        assert history.notes == [history.trouble]
        assert history.previous() is not None
        with pytest.raises(HistoryError, match="newer ComfyWatchman"):
            history.remember(row(9), full(9, []))
    assert (kept / FILE).read_bytes() == before


def test_one_of_another_program_is_left_alone(kept: Path) -> None:
    execute(kept, "PRAGMA application_id = 7")
    before = (kept / FILE).read_bytes()
    with opened(kept) as history:
        assert history.previous() is None
        assert str(history.trouble).endswith("of another program, and was left alone")
        with pytest.raises(HistoryError, match="of another program"):
            history.remember(row(9), full(9, []))
    assert (kept / FILE).read_bytes() == before


def execute(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / FILE)) as connection, connection:
        connection.execute(statement)


def test_one_that_was_killed_before_its_first_table_is_gone_on_with(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / FILE)) as connection:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    assert (tmp_path / FILE).stat().st_size
    remember(tmp_path, 0, [workflow("/w/a")])
    with opened(tmp_path) as history:
        assert history.notes == []
        assert history.previous()


def test_an_older_one_is_brought_up_to_date_and_a_copy_kept(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def add(connection: sqlite3.Connection) -> None:
        connection.execute("ALTER TABLE cycle ADD COLUMN more TEXT")

    def fail(connection: sqlite3.Connection) -> None:
        connection.execute("ALTER TABLE cycle ADD COLUMN yet_more TEXT")
        raise OSError("no room")

    newest = len(migrations.MIGRATIONS)
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, add, fail))
    with opened(kept, readonly=True) as history:
        assert "the next cycle brings it up to date" in str(history.trouble)
    with opened(kept) as history:
        assert "no room" in str(history.trouble) or "cannot be used" in str(history.trouble)
    with closing(sqlite3.connect(kept / FILE)) as now:
        assert now.execute("PRAGMA user_version").fetchone() == (newest + 1,)
        assert "yet_more" not in str(now.execute("SELECT sql FROM sqlite_schema").fetchall())
    copy = kept / f"{FILE}.before-{newest}"
    assert copy.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(copy)) as before:
        assert before.execute("PRAGMA user_version").fetchone() == (newest,)
        assert before.execute("SELECT count(*) FROM cycle").fetchone() == (3,)
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS[:-1], add_again))
    with opened(kept) as history:
        assert history.trouble is None
        assert history.previous() is not None
    assert not [file for file in kept.iterdir() if file.name.endswith(".part")]


def add_again(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE cycle ADD COLUMN yet_more TEXT")


def test_two_processes_that_make_it_at_the_same_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Raced(tuple):  # type: ignore[type-arg]
        """The other one is quicker, once this one has seen that there is nothing."""

        def __getitem__(self, part: Any) -> Any:
            monkeypatch.setattr(migrations, "MIGRATIONS", tuple(self))
            remember(tmp_path, 0, [workflow("/w/a")])
            return super().__getitem__(part)

    monkeypatch.setattr(migrations, "MIGRATIONS", Raced(migrations.MIGRATIONS))
    with opened(tmp_path) as history:
        assert history.notes == []
        assert history.previous()
    assert not list(tmp_path.glob("*.damaged"))


@pytest.mark.parametrize("size", [1, 3, 100, 4096, 20000])
def test_a_damaged_one_is_set_aside_and_begun_anew(kept: Path, size: int) -> None:
    file = kept / FILE
    whole = file.read_bytes()
    file.write_bytes(whole[:size] + random.Random(size).randbytes(len(whole) - size))
    with opened(kept, readonly=True) as history:
        ask_everything(history)
        assert "is damaged" in str(history.trouble)
    with opened(kept) as history:
        ask_everything(history)
        history.remember(row(3), full(3, [workflow("/w/a")]))
        assert history.notes == [f"{file} is damaged, is now {FILE}.damaged, and was begun anew"]
        assert history.previous() is not None
    assert (kept / f"{FILE}.damaged").exists()


@pytest.mark.parametrize(("name", "index"), [(FILE, b"frame"), (COPIES, b"content")])
def test_damage_that_sqlite_has_no_words_for(kept: Path, name: str, index: bytes) -> None:
    whole = (kept / name).read_bytes()
    damaged = whole.replace(b"autoindex_" + index, b"autoinde\xcd_" + index)
    assert damaged != whole
    for readonly in (True, False):
        (kept / name).write_bytes(damaged)
        with opened(kept, readonly=readonly) as history:
            ask_everything(history)
            if not readonly:
                history.remember(row(3), full(3, [workflow("/w/a")]))
            (note,) = history.notes
            assert f"{kept / name} is damaged" in note
    assert (kept / f"{name}.damaged").read_bytes() == damaged


def test_damage_is_found_at_the_latest_when_the_whole_is_looked_at(kept: Path) -> None:
    with opened(kept) as history:
        for number in range(3, 9):
            history.remember(row(number), None)
    # Content of another type than its column's, which no question would stumble over.
    with closing(sqlite3.connect(kept / FILE)) as connection, connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_schema SET sql = replace(sql, 'name TEXT', 'name BLOB')"
            " WHERE name = 'workflow'"
        )
    with opened(kept) as history:
        assert "was begun anew" in history.notes[0]
        assert history.previous() is None


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_no_damage_is_an_exception(kept: Path, data: st.DataObject) -> None:
    folder = kept / "damaged"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name in (FILE, COPIES):
        content = bytearray((kept / name).read_bytes())
        places = st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=20)
        for place in data.draw(places):
            content[place] = data.draw(st.integers(0, 255))
        (folder / name).write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with opened(folder, readonly=True) as history:
        ask_everything(history)
    with opened(folder) as history:
        ask_everything(history)
        try:
            history.remember(row(9), full(9, [broken("/w/a"), workflow("/w/c")]))
        except HistoryError:
            assert history.notes
        history.copies.put("/w/c", digest("c"), b"c")
        history.copies.commit()
        ask_everything(history)


def test_what_a_later_release_wrote_is_not_taken_for_damage(kept: Path) -> None:
    execute(kept, "UPDATE state SET verdict = 'splendid' WHERE until IS NULL")
    execute(kept, "UPDATE fact SET kind = 'weather'")
    with opened(kept) as history:
        ask_everything(history)
        assert history.previous() is None
        (note,) = history.notes
        assert "holds what this ComfyWatchman cannot read" in note
    assert not (kept / f"{FILE}.damaged").exists()


def test_a_lock_that_nobody_gives_back_is_told(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "WAIT", 0.1)
    with closing(sqlite3.connect(kept / FILE, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with opened(kept) as history:
            assert "database is locked" in str(history.trouble)
            with pytest.raises(HistoryError, match="database is locked"):
                history.remember(row(9), full(9, []))
        other.execute("ROLLBACK")
        with opened(kept) as history:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(HistoryError, match="could not be written: database is locked"):
                history.remember(row(9), full(9, []))
            other.execute("ROLLBACK")
            history.remember(row(9), full(9, []))


def test_a_disk_without_room_costs_that_cycle_alone(tmp_path: Path) -> None:
    with mounted(tmp_path, 330_000) as disk:
        if isinstance(disk, str):
            pytest.skip(disk)
        told, _ = child(
            """
found = [broken(f"/w/{number}", f"{number}") for number in range(1500)]
with opened(folder) as history:
    history.remember(row(0), full(0, found[:5]))
    for number in range(3):
        try:
            history.remember(row(1 + number), full(1 + number, found))
        except HistoryError as error:
            print(error)
    history.copies.put("/w/0", digest("x"), random.Random(1).randbytes(400_000))
    history.copies.commit()
    print(*history.notes, sep="\\n")
    history.remember(row(5), full(5, found[:6]))
    print([cycle.started_at for cycle in history.cycles(when(0))] == [when(5), when(0)])
""",
            tmp_path,
            *disk.enter,
        ).communicate(timeout=60)
        why = "could not be written: database or disk is full; make room there"
        assert told.splitlines() == [
            *[f"{tmp_path / FILE} {why}"] * 3,
            f"{tmp_path / COPIES} {why}",
            "True",
        ]
        assert_whole(shutil.copytree(disk.path, tmp_path / "copied"))
        disk.remount("ro")
        told, _ = child(TRY, tmp_path, *disk.enter).communicate(timeout=60)
        assert told == f"{tmp_path / FILE} cannot be used: Read-only file system\n"


def test_a_file_that_may_not_grow_is_told(tmp_path: Path) -> None:
    ended = child(
        """
with opened(folder) as history:
    history.remember(row(0), full(0, [workflow("/w/a")]))
    size = (folder / "history.sqlite3").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    try:
        history.remember(row(1), full(1, [broken(f"/w/{n}", f"{n}") for n in range(900)]))
    except HistoryError as error:
        print(error)
""",
        tmp_path,
    ).communicate(timeout=60)
    assert "could not be written: disk I/O error" in ended[0]
    assert_whole(tmp_path)
    with opened(tmp_path) as history:
        assert len(history.cycles(when(0))) == 1


HEAD = """
import pathlib, random, resource, sys
from comfywatchman.history.error import HistoryError
from tests.unit.history.cycles import *
folder = pathlib.Path(sys.argv[1])
"""


TRY = """
with opened(folder) as history:
    try:
        history.remember(row(9), None)
    except HistoryError as error:
        print(error)
"""


def child(program: str, folder: Path, *where: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*where, sys.executable, "-c", HEAD + program, folder],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )


FOR_EVER = """
number = 0
with opened(folder) as history:
    number = len(history.cycles(when(0)))
    print("begun", flush=True)
    while True:
        found = [broken(f"/w/{n}", f"{n} {number}", content=f"{number}") for n in range(60)]
        facts = environment(p=f"{number}")
        given = full(number, found, facts=facts, rests_on=world("A", number=number))
        history.copies.put("/w/1", digest(f"{number}"), f"{number}".encode())
        history.remember(row(number), given)
        print(number, flush=True)
        number += 1
"""


def test_a_cycle_that_is_killed_is_there_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    chance, reported = random.Random(1), -1
    for _ in range(8):
        writer = child(FOR_EVER, tmp_path)
        assert writer.stdout is not None
        assert writer.stdout.readline() == "begun\n"
        until = time.monotonic() + chance.uniform(0.0, 0.15)
        while time.monotonic() < until:
            pass
        writer.send_signal(signal.SIGKILL)
        said = writer.communicate(timeout=60)[0].split()
        reported = max([reported, *map(int, said)])
        assert_whole(tmp_path)
        with opened(tmp_path) as history:
            assert history.notes == []
            cycles = history.cycles(when(0))
            assert len(cycles) > reported
            number = len(cycles) - 1
            previous = history.previous()
            if previous is None:
                assert number == -1
                continue
            assert previous.started_at == when(number)
            assert previous.facts() == environment(p=f"{number}").facts
            kept = previous.world()
            assert kept is not None
            assert kept.catalog.declarations["A"]["number"] == number
            assert {state.content_digest for state in previous.states.values()} == {
                digest(f"{number}")
            }
    assert reported >= 0


def assert_whole(folder: Path) -> None:
    for name in (FILE, COPIES):
        if (folder / name).exists():
            with closing(sqlite3.connect(folder / name)) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_python_without_sqlite_says_so(tmp_path: Path) -> None:
    program = """
with opened(folder) as history:
    print(history.previous(), history.trouble, len(history.notes))
    history.copies.put("/w/a", digest("a"), b"a")
    history.copies.commit()
    try:
        history.remember(row(0), full(0, []))
    except HistoryError as error:
        print(error)
"""
    hidden = f'import sys\nsys.modules["sqlite3"] = None\n{HEAD}{program}'
    ended = subprocess.run(
        [sys.executable, "-c", hidden, tmp_path],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    why = f"{tmp_path / FILE} cannot be used: this Python has no sqlite3"
    assert ended.stdout.splitlines() == [f"None {why} 1", why]


def test_what_cannot_be_kept_harms_nothing(kept: Path) -> None:
    deep: list[object] = []
    for _ in range(5000):
        deep = [deep]
    with opened(kept) as history:
        with pytest.raises(HistoryError, match="what was found cannot be kept"):
            history.remember(row(9), full(9, [], rests_on=world("A", deep=deep)))
        found = report(9, [workflow("/w/a", content="")]).workflows[0]
        odd = found.model_copy(update={"path": "/w/\ud800"})
        given = full(9, [])
        given = type(given)(
            given.report.model_copy(update={"workflows": [odd]}), given.environment, None, "p"
        )
        with pytest.raises(HistoryError, match="what was found cannot be kept"):
            history.remember(row(9), given)
        history.remember(row(9, Outcome.FAILED), None)
        assert history.notes == []
