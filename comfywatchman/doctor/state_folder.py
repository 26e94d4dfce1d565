"""Can reports be kept, and what do they say of the last cycle?"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from comfywatchman import off_switch, ownership, room, state_files
from comfywatchman.doctor.point import Examination, Point, Status
from comfywatchman.gate import disk as disk_gate
from comfywatchman.moments import span
from comfywatchman.schedule import timer

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONG = timedelta(hours=1)
"""How long no cycle should take."""
_SANDBOX = (
    "if it says that the file system is read-only: deploy again, so that the service may write"
)


def folder(examination: Examination) -> Iterator[Point]:
    """Whether this user can write there, and others cannot read."""
    found = examination.folder
    if not found.exists():
        said = f"{found} is not there yet; the first cycle makes it"
        yield Point("state folder", Status.NOTE, said)
        return
    if not found.is_dir():
        yield Point("state folder", Status.PROBLEM, f"{found} is no folder", "correct state_dir")
        return
    if owner := ownership.of_other_host(found):
        said, _, remedy = ownership.sentence(found, owner).partition(". ")
        yield Point("state folder", Status.PROBLEM, said, remedy)
    if (mode := found.stat().st_mode & 0o777) & 0o077:
        said = f"{found} is open to others (mode {mode:04o})"
        yield Point("state folder", Status.PROBLEM, said, f"chmod 700 '{found}'")
    try:
        with tempfile.TemporaryFile(dir=found) as file:
            file.write(b"x" * 4096)
    except OSError as error:
        said = f"{found} cannot be written: {room.why(error, found)}"
        remedy = room.remedy(error, found) or "correct its owner, mode or file system"
        yield Point("state folder", Status.PROBLEM, said, remedy)
    else:
        yield Point("state folder", Status.OK, f"{found} can be written")


def disk(examination: Examination) -> Iterator[Point]:
    """Whether there is room for reports."""
    assert examination.settings is not None  # noqa: S101
    place = examination.folder
    while not place.exists():
        place = place.parent
    if place == examination.folder and place.is_dir():
        answer = disk_gate.probe(place, examination.settings.min_free_disk)
        yield Point("disk", Status.OK if answer.ok else Status.PROBLEM, answer.reason)
        if not answer.ok:
            return
    if room.at(place).files == 0:
        said = f"no file can be made at {place}: its file system has no inodes left"
        yield Point("disk", Status.PROBLEM, said, "remove what is not needed there")


def ask_server(examination: Examination) -> Iterator[Point]:
    """Whether asking the server for its own word has gone wrong before."""
    if switch := off_switch.read(examination.folder):
        remedy = f"find out why, mend it, then: rm '{switch.file}'"
        yield Point("ask_server", Status.PROBLEM, switch.sentence, remedy)
    else:
        yield Point("ask_server", Status.OK, "its off switch is not thrown")


def last_cycle(examination: Examination) -> Iterator[Point]:
    """What became of the last cycle, and whether it is as young as the schedule promises."""
    last_run = examination.last_run
    if last_run is None:
        yield Point("last cycle", Status.NOTE, "none has run yet", "comfywatchman check runs one")
        return
    try:
        outcome, reason = str(last_run["outcome"]), str(last_run["reason"])
        started = datetime.fromisoformat(last_run["started_at"])
        age = datetime.now(UTC) - started
    except (KeyError, ValueError, TypeError):
        said = f"{examination.folder / state_files.LAST_RUN} is damaged"
        yield Point("last cycle", Status.PROBLEM, said, "the next cycle replaces it")
        return
    said = f"{outcome}, begun {span(age.total_seconds())} ago: {reason}"
    if outcome == "running" and not timer.is_held(examination.folder / state_files.LOCK):
        said = f"the last cycle, begun {span(age.total_seconds())} ago, was killed in the middle"
        yield Point("last cycle", Status.PROBLEM, said, "the journal says by whom: journalctl -k")
    elif outcome == "failed":
        yield Point("last cycle", Status.PROBLEM, said, "mend what is named")
    else:
        yield Point("last cycle", Status.NOTE if outcome == "skipped" else Status.OK, said)
    if age < -timedelta(minutes=1):
        ahead = span(-age.total_seconds())
        said = f"the last cycle began {ahead} in the future: the clock was set back"
        yield Point("last cycle", Status.PROBLEM, said, "see: timedatectl")
    schedule = examination.schedule
    if schedule.interval_s is not None:
        longest = timedelta(seconds=2 * schedule.interval_s + (schedule.slack_s or 0))
        if age > longest:
            said = f"the last cycle is {span(age.total_seconds())} old; one is due every "
            said += span(schedule.interval_s)
            yield Point("last cycle", Status.PROBLEM, said, "see what is said of the timer")


def lock(examination: Examination) -> Iterator[Point]:
    """Whether a cycle runs now, and which process that is."""
    file = examination.folder / state_files.LOCK
    if not timer.is_held(file):
        yield Point("lock", Status.OK, "no cycle is running")
        return
    last_run = examination.last_run or {}
    pid = _holder(file) or last_run.get("pid")
    said = f"a cycle is running (process {pid or 'not known'})"
    age = timedelta()
    with suppress(KeyError, ValueError, TypeError):  # damaged: last_cycle says so
        if last_run.get("outcome") == "running":
            age = datetime.now(UTC) - datetime.fromisoformat(last_run["started_at"])
            said += f", since {span(age.total_seconds())}"
    if age > _LONG:
        yield Point("lock", Status.PROBLEM, said, f"it hangs: kill {pid}")
    else:
        yield Point("lock", Status.OK, said)


def metrics(examination: Examination) -> Iterator[Point]:
    """Whether node_exporter gets what the cycles leave for it."""
    assert examination.settings is not None  # noqa: S101
    copy = examination.settings.textfile_dir
    if copy is None:
        return
    try:
        with tempfile.TemporaryFile(dir=copy):
            pass
    except OSError as error:
        said = f"textfile_dir {copy} cannot be written: {room.why(error, copy)}"
        remedy = room.remedy(error, copy) or "make it, or let the user of the cycles write there"
        yield Point("metrics", Status.PROBLEM, said, remedy)
        return
    if trouble := (examination.last_run or {}).get("metrics"):
        yield Point("metrics", Status.PROBLEM, f"the last cycle said: {trouble}", _SANDBOX)
    else:
        yield Point("metrics", Status.OK, f"{copy} can be written")


def _holder(file: Path) -> int | None:
    """The process that holds the kernel's lock on a file; None where the kernel does not tell."""
    try:
        status = file.stat()
        locks = Path("/proc/locks").read_text()
    except OSError:
        return None
    device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    for line in locks.splitlines():
        fields = line.split()
        if device in fields and fields[4].isdigit() and int(fields[4]):
            return int(fields[4])
    return None
