"""Whatever happens to the disk, the clock, the user or the program, the last good report stays."""

from __future__ import annotations

import errno
import json
import os
import shutil
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import comfywatchman
from tests.faults.conftest import BROKEN, COPIES, KEPT, NEEDS_A_MODEL, UNFINISHED, bind, make_host
from tests.faults.disk import Disk, mounted
from tests.standin.comfyui import StandIn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.faults.clock import Clock
    from tests.faults.conftest import Host
    from tests.faults.disk import FailingDisk

NOBODY = 65534
SLACK = timedelta(seconds=1)  # the clock is set in whole seconds
NO_GATE = {"min_free_disk": "0"}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state folder of a host after its first cycle."""
    host = make_host(tmp_path_factory.mktemp("first"))
    with StandIn() as comfyui:
        assert host.run(comfyui_url=comfyui.url).returncode == 0
    assert host.files() == KEPT
    return host.state


@pytest.fixture
def reported(host: Host, kept: Path) -> Host:
    """A host that has a report."""
    shutil.copytree(kept, host.state)
    return host


def assert_next_cycle_works(host: Host, comfyui: StandIn) -> None:
    before = host.latest["started_at"]
    ended = host.run(comfyui_url=comfyui.url, **NO_GATE)
    assert (ended.returncode, host.last_run["outcome"]) == (0, "done"), ended.stderr
    assert host.latest["started_at"] > before
    assert host.last_run["summary"] == {"runnable": 1, "partial": 0, "broken": 1, "unknown": 0}
    assert host.files() - {"verdicts.cache.damaged"} == KEPT


# The disk


@contextmanager
def own_disk(host: Host, kept: Path, files: int = 1000) -> Iterator[Disk]:
    """Mount a disk of 4 MiB for the host's state, with a report on it."""
    host.state.mkdir()
    with mounted(host.state, 4 * 1024**2, files) as disk:
        if isinstance(disk, str):
            pytest.skip(disk)
        for file in kept.iterdir():
            shutil.copy2(file, disk.path)
        host.state = disk.path
        host.environment["COMFYWATCHMAN_STATE_DIR"] = str(disk.path)
        yield disk


@pytest.mark.parametrize("room", [0, 12 * 1024], ids=["at the beginning", "at the end"])
def test_disk_full(host: Host, kept: Path, comfyui: StandIn, room: int) -> None:
    with own_disk(host, kept):
        before = host.reports
        ballast = host.state / "ballast"
        ballast.write_bytes(bytes(shutil.disk_usage(host.state).free - room))
        ended = host.run(comfyui_url=comfyui.url, **NO_GATE)
        assert ended.returncode == 74
        assert "could not be written: No space left on device; make room there" in ended.stderr
        assert host.reports == before
        assert host.last_run["outcome"] == ("failed" if room else "done")
        ballast.unlink()
        assert_next_cycle_works(host, comfyui)


def test_disk_nearly_full(host: Host, kept: Path, comfyui: StandIn) -> None:
    with own_disk(host, kept):
        before = host.reports
        assert host.run(comfyui_url=comfyui.url).returncode == 0
        assert host.last_run["outcome"] == "skipped"
        assert "64 MiB asked for; make room, or lower min_free_disk" in host.last_run["reason"]
        assert host.reports == before


def test_a_disk_without_inodes(host: Host, kept: Path, comfyui: StandIn) -> None:
    with own_disk(host, kept, files=30):
        before = host.reports
        assert host.run("status").returncode == 0
        ballast = []
        with suppress(OSError):
            while True:
                ballast.append(host.state / f"ballast {len(ballast)}")
                ballast[-1].write_bytes(b"")
        ended = host.run(comfyui_url=comfyui.url, **NO_GATE)
        assert ended.returncode == 74
        said = "could not be written: no further file can be made there (no inodes left), though"
        assert said in ended.stderr
        assert "remove files there (`df -i` counts them); large ones alone" in ended.stderr
        assert host.reports == before
        for file in ballast:
            file.unlink(missing_ok=True)
        assert_next_cycle_works(host, comfyui)


def test_read_only_disk(host: Host, kept: Path, comfyui: StandIn) -> None:
    with own_disk(host, kept) as disk:
        before = host.reports
        disk.remount("ro")
        ended = host.run(comfyui_url=comfyui.url, **NO_GATE)
        assert ended.returncode == 74
        assert "could not be written: Read-only file system; dmesg says why" in ended.stderr
        assert host.reports == before
        disk.remount("rw")
        assert_next_cycle_works(host, comfyui)


@pytest.mark.parametrize(
    ("error", "below", "words"),
    [
        (errno.EDQUOT, ".", "Disk quota exceeded; a quota is of space or of files"),
        (errno.EIO, ".latest.json", "Input/output error"),
        (errno.ENOSPC, ".report.html", "No space left on device; make room there"),
    ],
    ids=["quota", "bad disk", "full for the page alone"],
)
def test_write_errors(
    reported: Host, comfyui: StandIn, failing_disk: FailingDisk, error: int, below: str, words: str
) -> None:
    before = reported.reports
    reported.environment |= failing_disk.environment(Path(f"{reported.state}/{below}"), error)
    ended = reported.run(comfyui_url=comfyui.url)
    assert ended.returncode == 74
    assert f"could not be written: {words}" in ended.stderr
    assert reported.reports == before
    assert reported.files() == KEPT


def test_verdicts_that_cannot_be_kept_cost_no_report(
    reported: Host, comfyui: StandIn, failing_disk: FailingDisk
) -> None:
    before = reported.latest["started_at"]
    reported.environment |= failing_disk.environment(
        reported.state / ".verdicts.cache", errno.ENOSPC
    )
    ended = reported.run(comfyui_url=comfyui.url)
    assert (ended.returncode, reported.last_run["outcome"]) == (0, "done")
    assert "not kept for the next cycle: No space left on device" in ended.stderr
    assert reported.latest["started_at"] > before


# Users


@pytest.fixture
def bound(reported: Host) -> Host:
    """A host with a report, on which permissions bind whoever runs the cycles."""
    bind(reported)
    return reported


def test_a_folder_that_may_not_be_written(bound: Host, comfyui: StandIn) -> None:
    before = bound.reports
    bound.state.chmod(0o500)
    ended = bound.run(comfyui_url=comfyui.url)
    bound.state.chmod(0o700)
    assert ended.returncode == 74
    assert "could not be written: Permission denied; correct its owner or mode" in ended.stderr
    assert bound.reports == before
    assert_next_cycle_works(bound, comfyui)


def test_a_second_user(bound: Host, comfyui: StandIn) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files to another user")
    before = bound.reports
    for file in [bound.state, *bound.state.iterdir()]:
        file.chmod(0o700)
        os.chown(file, NOBODY, NOBODY)
    ended = bound.run(comfyui_url=comfyui.url)
    assert ended.returncode == 74
    assert "could not be written: Permission denied; correct its owner" in ended.stderr
    assert bound.reports == before


def test_a_cycle_of_root_by_hand_does_not_lock_the_user_out(
    reported: Host, comfyui: StandIn
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can run a cycle as root")
    (reported.state / "cycle.lock").unlink()
    os.chown(reported.state, NOBODY, NOBODY)
    assert reported.run(comfyui_url=comfyui.url).returncode == 0
    assert {file.stat().st_uid for file in reported.state.iterdir()} == {NOBODY}


# The clock


@pytest.mark.parametrize(
    "jump",
    [timedelta(days=-9000), timedelta(hours=8)],
    ids=["back", "suspend"],
)
def test_the_clock_is_set_while_a_cycle_runs(
    reported: Host, comfyui: StandIn, clock: Clock, jump: timedelta
) -> None:
    reported.environment |= clock.environment
    comfyui.behaviour = "hold@/object_info"
    begun = datetime.now(UTC)
    with reported.start(comfyui_url=comfyui.url) as cycle:
        comfyui.wait_for("/object_info")
        clock.set(int(jump.total_seconds()))
        comfyui.behaviour = "ok"
        cycle.communicate(timeout=180)
    assert cycle.returncode == 0
    ran, ended = reported.last_run, datetime.now(UTC)
    assert ran["outcome"] == "done"
    for duration in (ran["duration_s"], reported.latest["duration_s"]):
        assert timedelta(0) <= timedelta(seconds=duration) < ended - begun + SLACK
    assert ran["started_at"] <= ran["finished_at"]
    for moment in (ran["started_at"], ran["finished_at"], reported.latest["started_at"]):
        assert begun - SLACK < datetime.fromisoformat(moment) - jump < ended + SLACK


def test_the_end_of_summer_time(reported: Host, comfyui: StandIn, clock: Clock) -> None:
    reported.environment |= clock.environment | {"TZ": "Europe/Berlin"}
    summer = datetime(2026, 10, 25, 0, 59, tzinfo=UTC)  # 02:59 in Berlin, and 02:04 comes next
    started = []
    for moment in (summer, summer + timedelta(minutes=5)):
        begun = datetime.now(UTC)
        clock.set(int((moment - begun).total_seconds()))
        assert reported.run(comfyui_url=comfyui.url).returncode == 0
        started.append(datetime.fromisoformat(reported.latest["started_at"]))
        assert -SLACK < started[-1] - moment < datetime.now(UTC) - begun + SLACK
    assert started[0] < started[1]


def test_an_old_clock_does_not_make_an_old_verdict(
    reported: Host, comfyui: StandIn, clock: Clock
) -> None:
    clock.set(-86_400)
    good = reported.workflows / "good.json"
    times = good.stat()
    content = json.dumps(NEEDS_A_MODEL)
    good.write_text(json.dumps(BROKEN).ljust(len(content)))
    os.utime(good, ns=(times.st_atime_ns, times.st_mtime_ns))
    reported.environment |= clock.environment
    assert reported.run(comfyui_url=comfyui.url).returncode == 0
    assert reported.last_run["summary"]["broken"] == 2


# The program


@pytest.fixture
def releases(reported: Host, tmp_path: Path) -> Path:
    """A folder with two releases of the program, ``a`` and ``b``; cycles run the ``current``."""
    folder = tmp_path / "releases"
    source = Path(comfywatchman.__file__).parent
    for name in ("a", "b"):
        shutil.copytree(source, folder / name / source.name)
    other = folder / "b" / source.name / "__init__.py"
    other.write_text(other.read_text().replace(comfywatchman.__version__, "9999.0"))
    check = folder / "b" / source.name / "checks" / "missing_node_type.py"
    check.write_text(check.read_text().replace("is not offered by this server", "is unknown"))
    (folder / "current").symlink_to("a")
    reported.environment["PYTHONPATH"] = str(folder / "current")
    return folder


def switch(releases: Path, name: str) -> None:
    (releases / "new").symlink_to(name)
    (releases / "new").replace(releases / "current")


def removed(releases: Path) -> None:
    shutil.rmtree(releases / "a")


def switched_and_removed(releases: Path) -> None:
    switch(releases, "b")
    shutil.rmtree(releases / "a")


def overwritten(releases: Path) -> None:
    for file in (releases / "a").rglob("*.*"):
        file.write_text("raise SystemExit('another version')")


@pytest.mark.parametrize("upgrade", [removed, switched_and_removed, overwritten])
def test_an_upgrade_in_the_middle_of_a_cycle(
    reported: Host, comfyui: StandIn, releases: Path, upgrade: Callable[[Path], None]
) -> None:
    comfyui.behaviour = "hold@/system_stats"
    with reported.start(comfyui_url=comfyui.url, cache="false") as cycle:
        comfyui.wait_for("/system_stats")
        upgrade(releases)
        comfyui.behaviour = "ok"
        _, said = cycle.communicate(timeout=180)
    assert (cycle.returncode, reported.last_run["outcome"]) == (0, "done"), said
    assert reported.latest["comfywatchman_version"] == comfywatchman.__version__
    assert reported.latest["summary"] == {"runnable": 1, "partial": 0, "broken": 1, "unknown": 0}
    assert b"is not offered by this server" in reported.reports["report.html"]


def test_two_versions_write_in_turn(reported: Host, comfyui: StandIn, releases: Path) -> None:
    for name in ("b", "a"):
        switch(releases, name)
        ended = reported.run(comfyui_url=comfyui.url)
        assert (ended.returncode, reported.last_run["outcome"]) == (0, "done")
        assert "damaged" not in ended.stderr
        version = "9999.0" if name == "b" else comfywatchman.__version__
        assert reported.latest["comfywatchman_version"] == version
        assert reported.latest["summary"]["broken"] == 1


def test_what_a_newer_version_left(reported: Host, comfyui: StandIn) -> None:
    for name in ("latest.json", "last-run.json"):
        newer = json.loads((reported.state / name).read_bytes()) | {"added_since": {"a": 1}}
        (reported.state / name).write_text(json.dumps(newer))
    shown = reported.run("report")
    assert shown.returncode == 0
    assert "1 broken, 1 runnable" in shown.stdout
    assert reported.run("status").returncode == 0
    assert_next_cycle_works(reported, comfyui)
    assert "added_since" not in reported.latest


# Damage


@pytest.mark.parametrize("damage", [b"", b"0" * 64 + b"\n{}"])
def test_a_damaged_cache_of_verdicts_is_set_aside(
    reported: Host, comfyui: StandIn, damage: bytes
) -> None:
    (reported.state / "verdicts.cache").write_bytes(damage)
    ended = reported.run(comfyui_url=comfyui.url)
    assert (
        f"{reported.state}/verdicts.cache is damaged, is now verdicts.cache.damaged: every workflow"
        " is judged anew" in ended.stderr
    )
    assert reported.last_run["summary"]["runnable"] == 1
    assert (reported.state / "verdicts.cache.damaged").read_bytes() == damage
    assert (reported.state / "verdicts.cache").stat().st_size > 100


def test_a_folder_in_the_place_of_the_cache(reported: Host, comfyui: StandIn) -> None:
    (reported.state / "verdicts.cache").unlink()
    (reported.state / "verdicts.cache").mkdir()
    assert "cannot be read: Is a directory" in reported.run(comfyui_url=comfyui.url).stderr
    assert (reported.state / "verdicts.cache").is_file()


def test_a_folder_in_the_place_of_a_report(reported: Host, comfyui: StandIn) -> None:
    before = (reported.state / "latest.json").read_bytes()
    (reported.state / "report.md").unlink()
    (reported.state / "report.md").mkdir()
    ended = reported.run(comfyui_url=comfyui.url)
    assert ended.returncode == 74
    assert f"move {reported.state}/report.md elsewhere" in reported.last_run["reason"]
    assert (reported.state / "latest.json").read_bytes() == before


def test_a_limit_on_the_size_of_files(host: Host, comfyui: StandIn) -> None:
    host.prefix = ["prlimit", "--fsize=2000"]
    assert host.run(comfyui_url=comfyui.url).returncode == 74
    assert "raise the limit on the size of files" in host.last_run["reason"]
    assert host.files() == {*UNFINISHED, *COPIES} - {"metrics.prom"}  # has more


def test_damaged_reports_are_replaced_by_the_next_cycle(reported: Host, comfyui: StandIn) -> None:
    for name in ("latest.json", "last-run.json", "report.html", "report.md"):
        (reported.state / name).write_bytes(b'{"schema_version": 1, "half')
    assert reported.run("status").returncode == 0
    told = reported.run("report")
    assert told.returncode == 78
    assert "latest.json: is damaged" in told.stderr
    assert reported.run(comfyui_url=comfyui.url).returncode == 0
    assert reported.latest["summary"] == {"runnable": 1, "partial": 0, "broken": 1, "unknown": 0}
    assert reported.files() == KEPT
