"""Will the next cycle run, and when?"""

from __future__ import annotations

import os
import shutil
import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from comfywatchman import state
from comfywatchman.doctor.point import Examination, Point, Status
from comfywatchman.schedule import failure
from comfywatchman.schedule.service import is_recorded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from comfywatchman.schedule.timer import Schedule


def timer(examination: Examination) -> Iterator[Point]:
    """What starts the cycles, and when the next is due or why none is."""
    schedule = examination.schedule
    if schedule.by is None:
        yield Point("timer", Status.PROBLEM, schedule.problem or "", schedule.remedy or "")
        return
    yield Point("timer", Status.OK if schedule.active else Status.PROBLEM, _in_words(schedule))
    last = f"; the last was at {_moment(schedule.last_run)}" if schedule.last_run else ""
    if schedule.next_run:
        yield Point("next cycle", Status.OK, f"due at {_moment(schedule.next_run)}{last}")
    elif schedule.sub_state == "running":
        yield Point("next cycle", Status.OK, f"known when the one that runs now ends{last}")
    if schedule.problem:
        yield Point("next cycle", Status.PROBLEM, schedule.problem, schedule.remedy or "")


def service(examination: Examination) -> Iterator[Point]:
    """How the service ended last, as systemd saw it."""
    schedule = examination.schedule
    if schedule.by != "systemd":
        return
    unit = f"{state.named(examination.instance)}.service"
    found = failure.of_unit(unit, {}, examination.folder)
    if found.result in ("success", "exec-condition"):
        yield Point("service", Status.OK, f"{unit} did not fail")
    elif found.result == "unknown":
        yield Point("service", Status.PROBLEM, f"systemd does not know {unit}", "deploy it again")
    else:
        last_run = examination.last_run or {}
        why, remedy = found.explain(
            recorded=is_recorded(last_run, found.invocation, found.exit_code)
        )
        yield Point("service", Status.PROBLEM, f"{unit} failed: {why}", f"{remedy}; {found.log}")


def clock(_: Examination) -> Iterator[Point]:
    """Whether the clock goes right: the calendar and all reports rest on it."""
    now = _moment(datetime.now(UTC))
    said = None
    if shutil.which("timedatectl"):
        try:
            said = subprocess.run(
                ["timedatectl", "show", "--property", "NTPSynchronized", "--value"],  # noqa: S607
                capture_output=True,
                text=True,
                timeout=5,
                check=False,
                env=os.environ | {"LC_ALL": "C"},
            ).stdout.strip()
        except (OSError, subprocess.TimeoutExpired):
            said = None
    if said == "yes":
        yield Point("clock", Status.OK, f"it is {now}, synchronised")
    elif said == "no":
        yield Point(
            "clock",
            Status.NOTE,
            f"it is {now}, by a clock that is not synchronised",
            "timedatectl set-ntp true, unless this is a container or the hypervisor sees to it",
        )
    else:
        yield Point("clock", Status.NOTE, f"it is {now}; whether synchronised cannot be told")


def _in_words(schedule: Schedule) -> str:
    if schedule.by == "apscheduler":
        how = "runs" if schedule.active else "does not run"
        text = f"comfywatchman schedule {how}"
    else:
        whose = "the user's" if schedule.scope == "user" else "the system's"
        text = f"{schedule.unit} of {whose} service manager: "
        text += f"{'enabled' if schedule.enabled else 'not enabled'}, {schedule.sub_state}"
        if schedule.lingering is not None:
            text += ", lingering" if schedule.lingering else ", no lingering"
    if schedule.interval_s is not None:
        text += f"; every {schedule.interval_s:g} s, up to {schedule.slack_s or 0:g} s late"
    if schedule.persistent:
        text += "; makes up for what was missed"
    return text


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
