"""What starts the cycles, read from what systemd 252 and 257 said of real timers."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from comfywatchman import state_files, status
from comfywatchman.gate import lock
from comfywatchman.schedule import timer

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
UPTIME = 13_269.0

SHOWN = """\
TimersMonotonic={ OnUnitActiveUSec=2h ; next_elapse=0 }
TimersMonotonic={ OnStartupUSec=5min ; next_elapse=3h 46min 815.227ms }
TimersMonotonic={ OnBootUSec=5min ; next_elapse=3h 46min 815.227ms }
NextElapseUSecRealtime=Mon 2026-11-23 16:00:49 UTC
NextElapseUSecMonotonic=3h 46min 50.554889s
LastTriggerUSec=Mon 2026-11-23 12:00:49 UTC
AccuracyUSec=1min
RandomizedDelayUSec=2min
Persistent=yes
Id=comfywatchman.timer
LoadState=loaded
ActiveState=active
SubState=waiting
UnitFileState=enabled
"""


def seen(changes: dict[str, str] | None = None, **more: Any) -> timer.Schedule:
    shown = SHOWN
    for line, other in (changes or {}).items():
        assert line in shown
        shown = shown.replace(line, other)
    found = timer.parse(shown, more.get("scope", "system"), NOW, UPTIME)
    assert found is not None
    return timer.judge(found, NOW)


def test_a_timer_that_waits() -> None:
    found = seen()
    assert found.next_run is not None
    # 3 h 46 min 50.55 s after boot, which comes before the calendar's time.
    assert round((found.next_run - NOW).total_seconds()) == 342
    assert found.last_run == NOW - timedelta(hours=2) + timedelta(seconds=49)
    assert (found.interval_s, found.slack_s, found.persistent) == (7200, 180, True)
    assert (found.by, found.unit, found.active, found.enabled, found.problem) == (
        "systemd",
        "comfywatchman.timer",
        True,
        True,
        None,
    )


def test_the_calendar_counts_where_nothing_else_is_due() -> None:
    found = seen(
        {"NextElapseUSecMonotonic=3h 46min 50.554889s": "NextElapseUSecMonotonic=infinity"}
    )
    assert found.next_run == datetime(2026, 11, 23, 16, 0, 49, tzinfo=UTC)
    assert found.problem is None


DEAD = {
    "NextElapseUSecRealtime=Mon 2026-11-23 16:00:49 UTC": "NextElapseUSecRealtime=",
    "NextElapseUSecMonotonic=3h 46min 50.554889s": "NextElapseUSecMonotonic=infinity",
    "SubState=waiting": "SubState=elapsed",
}
STOPPED = {"ActiveState=active": "ActiveState=inactive", "SubState=waiting": "SubState=dead"}


@pytest.mark.parametrize(
    ("changes", "problem", "remedy"),
    [
        (DEAD, "is dead: all its times are past and none is to come", "systemctl restart"),
        (STOPPED, "is enabled but not active (dead)", "systemctl start"),
        (
            STOPPED | {"UnitFileState=enabled": "UnitFileState=disabled"},
            "is disabled",
            "systemctl enable --now",
        ),
        (
            {"UnitFileState=enabled": "UnitFileState=disabled"},
            "after the next boot no cycle is due",
            "systemctl enable",
        ),
        ({"LoadState=loaded": "LoadState=masked"}, "LoadState=masked", "systemctl status"),
        (
            {
                "16:00:49": "20:00:49",
                "NextElapseUSecMonotonic=3h 46min 50.554889s": "NextElapseUSecMonotonic=infinity",
            },
            "later than an interval (7200 s)",
            "was the clock set?",
        ),
    ],
)
def test_why_none_is_due_and_what_to_do(changes: dict[str, str], problem: str, remedy: str) -> None:
    found = seen(changes)
    assert found.problem is not None
    assert found.remedy is not None
    assert problem in found.problem
    assert remedy in found.remedy
    assert (found.next_run is None) == (changes in (DEAD, STOPPED) or "dead" in str(changes))


def test_a_users_timer_is_asked_for_as_such() -> None:
    found = seen(STOPPED, scope="user")
    assert found.remedy == "systemctl --user start comfywatchman.timer"


def test_a_users_timer_without_lingering_is_a_problem_though_it_waits() -> None:
    waiting = timer.judge(replace(seen(scope="user"), lingering=False), NOW)
    assert waiting.next_run is not None
    assert "ends with the last login" in str(waiting.problem)
    assert waiting.remedy == "loginctl enable-linger"
    assert timer.judge(replace(waiting, problem=None, lingering=True), NOW).problem is None


def test_while_a_cycle_runs_the_next_is_not_known_and_nothing_is_wrong() -> None:
    found = seen({"SubState=waiting": "SubState=running"})
    assert (found.next_run, found.problem) == (None, None)


def test_a_timer_that_is_not_there() -> None:
    assert timer.parse("LoadState=not-found\n", "user", NOW, UPTIME) is None
    assert timer.parse("", "user", NOW, UPTIME) is None  # the manager cannot be reached


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3h 46min 50.554889s", 13_610.554889),
        ("1month 1w 2d", 2_629_800 + 9 * 86_400),
        ("815.227ms", 0.815227),
        ("10us", 1e-5),
        ("infinity", None),
        ("0", None),
        ("", None),
    ],
)
def test_time_spans(text: str, expected: float | None) -> None:
    assert timer.seconds(text) == pytest.approx(expected)


def schedule_facts(folder: Path) -> None:
    facts = {
        "pid": os.getpid(),
        "next_run": (datetime.now(UTC) + timedelta(minutes=90)).isoformat(),
        "interval_s": 7200.0,
        "jitter_s": 120.0,
    }
    (folder / state_files.SCHEDULE).write_text(json.dumps(facts))


def test_status_tells_of_a_schedule_that_runs_and_of_one_that_was_killed(tmp_path: Path) -> None:
    schedule_facts(tmp_path)
    only_one = lock.make(tmp_path / state_files.SCHEDULE_LOCK)
    assert lock.probe(only_one).ok
    assert timer.read("", tmp_path).by == "apscheduler"
    told = status.in_words(status.read(tmp_path))
    assert "Next cycle   in 1 hour (" in told
    assert "by comfywatchman schedule" in told
    only_one.release()
    found = timer.read("no-such-instance", tmp_path)
    assert (found.active, found.next_run) == (False, None)
    assert "was killed" in str(found.problem)


def test_a_host_on_which_nothing_starts_cycles(tmp_path: Path) -> None:
    found = timer.read("no-such-instance", tmp_path)
    assert found.next_run is None
    assert found.problem is not None
    assert found.remedy is not None
    told = status.in_words(status.read(tmp_path, "no-such-instance"))
    assert "Next cycle   none" in told
    assert found.problem in told
