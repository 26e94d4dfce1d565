"""``status --format nagios``: the state, the performance data, and what others wrote in it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from comfywatchman import state_files
from comfywatchman.metrics import nagios
from comfywatchman.metrics.nagios import State
from comfywatchman.results import (
    Cause,
    CauseKind,
    ChangeKind,
    Changes,
    PastVerdict,
    Report,
    Sureness,
    Verdict,
    WorkflowChange,
    WorkflowReport,
)
from tests.unit.report import sample

if TYPE_CHECKING:
    from pathlib import Path

REPORTED = sample.report([]).started_at + timedelta(seconds=1.42)
NOW = REPORTED + timedelta(hours=1)
LONG_AGO = NOW - timedelta(days=20)
PERFORMANCE = re.compile(r"[a-z_]{1,19}=\d+s?(;\d*){3}")


def status(**more: Any) -> dict[str, Any]:
    """What ``status.read`` says of a host on which all is well."""
    ended = REPORTED.isoformat()
    last_run = {"outcome": "done", "reason": "fine", "started_at": ended, "finished_at": ended}
    return {
        "last_run": last_run,
        "interrupted": False,
        "alarm": None,
        "other_host": None,
        "schedule": {"interval_s": 7200.0},
        "failed": None,
        **more,
    }


def last_run(**more: Any) -> dict[str, Any]:
    return {"last_run": status()["last_run"] | more}


def workflow(verdict: Verdict, *past: Verdict, name: str = "a.json") -> WorkflowReport:
    """A workflow, with what it could do before, the oldest first."""
    verdicts = [*past, verdict]
    return WorkflowReport(
        path=f"/flows/{name}",
        name=name,
        verdict=verdict,
        since=LONG_AGO,
        past=[PastVerdict(since=LONG_AGO, verdict=each) for each in verdicts],
    )


def judge(
    *workflows: WorkflowReport, now: datetime = NOW, changes: Changes | None = None, **more: Any
) -> tuple[State, str]:
    report = sample.report(list(workflows)).model_copy(update={"changes": changes})
    return nagios.judge(status(**more), report, now)


def performance(text: str) -> dict[str, str]:
    _, _, data = text.splitlines()[0].partition(" | ")
    values = data.split()
    assert all(PERFORMANCE.fullmatch(value) for value in values), values
    return dict(value.split("=") for value in values)


GOOD, HALF, BAD, UNSURE = Verdict.RUNNABLE, Verdict.PARTIAL, Verdict.BROKEN, Verdict.UNKNOWN


def test_all_is_well() -> None:
    state, text = judge(workflow(GOOD), workflow(UNSURE))
    assert state is State.OK
    assert text == (
        "COMFYWATCHMAN OK - 1 of 2 workflows can run | worse=0;;0;0 broken=0;0;;0 partial=0;0;;0 "
        "will_fail=0;0;;0 accepted=0;;;0 unknown=1;;;0 runnable=1;;;0 report_age=3600s;86400;;0 "
        "age=3600s;;15300;0"
    )


@pytest.mark.parametrize(
    ("found", "state", "said"),
    [
        (workflow(BAD, GOOD), State.CRITICAL, "1 workflow got worse: a.json"),
        (workflow(BAD, HALF), State.CRITICAL, "1 workflow got worse: a.json"),
        (workflow(HALF, GOOD, UNSURE, HALF), State.CRITICAL, "1 workflow got worse: a.json"),
        (workflow(BAD), State.WARNING, "1 workflow broken: a.json"),
        (workflow(HALF, BAD), State.WARNING, "1 workflow partial: a.json"),
        (workflow(BAD, UNSURE), State.WARNING, "1 workflow broken: a.json"),
        (workflow(UNSURE, GOOD), State.OK, "0 of 1 workflow can run"),
        (workflow(GOOD, BAD), State.OK, "1 of 1 workflow can run"),
    ],
)
def test_what_got_worse_is_graver_than_what_has_long_been_so(
    found: WorkflowReport, state: State, said: str
) -> None:
    got, text = judge(found)
    assert (got, text.partition(" | ")[0]) == (state, f"COMFYWATCHMAN {state.name} - {said}")


def test_its_work_grows_with_the_number_of_workflows() -> None:
    half, all_ = _calls(200), _calls(400)
    assert all_ < 2.5 * half


def _calls(number: int) -> int:
    """How many functions of Python's are called to judge so many, half of which got worse."""
    found = [workflow(BAD, *[GOOD] * (n % 2), name=f"{n}.json") for n in range(number)]
    report = sample.report(found)
    count = 0

    def called(_frame: object, event: str, _of: object) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(called)
    try:
        nagios.judge(status(), report, NOW)
    finally:
        sys.setprofile(None)
    return count


def test_without_a_history_what_is_broken_is_taken_to_be_new() -> None:
    unknown_since = {"since": None, "past": []}
    assert judge(workflow(BAD).model_copy(update=unknown_since))[0] is State.CRITICAL
    assert judge(workflow(HALF).model_copy(update=unknown_since))[0] is State.WARNING


def test_the_cause_is_named_where_it_is_known() -> None:
    cause = Cause(
        id="1",
        kind=CauseKind.PACK,
        sureness=Sureness.CERTAIN,
        name="PACK",
        text="PACK 1.2 → 1.3",
    )
    change = WorkflowChange(
        path="/flows/a.json", name="a.json", kind=ChangeKind.WORSE, causes=["1"]
    )
    changes = Changes(since=LONG_AGO, causes=[cause], workflows=[change])
    # An error more, at the same verdict.
    state, text = judge(workflow(BAD, BAD), changes=changes)
    assert state is State.CRITICAL
    assert text.startswith("COMFYWATCHMAN CRITICAL - 1 workflow got worse: PACK 1.2 → 1.3 | ")
    assert performance(text)["worse"] == "1;;0;0"


@pytest.mark.parametrize(
    ("more", "hours", "state", "said"),
    [
        ({}, 4.2, State.OK, "1 of 1 workflow can run"),
        ({}, 4.3, State.CRITICAL, "no cycle has ended for 4.3 hours"),
        ({"schedule": {"interval_s": 86400.0}}, 20, State.OK, "1 of 1 workflow can run"),
        ({"schedule": {"interval_s": None}}, 4.3, State.CRITICAL, "no cycle has ended for 4.3"),
        (last_run(outcome="failed", reason="no"), 1, State.WARNING, "the last cycle failed: no"),
        (last_run(finished_at=None), 4.3, State.CRITICAL, "no cycle has ended for 4.3 hours"),
        ({"interrupted": True}, 1, State.WARNING, "the last cycle was killed in the middle"),
        ({"last_run": None}, 1, State.UNKNOWN, "what became of the last cycle is not known"),
        (last_run(started_at="?", finished_at=7), 1, State.UNKNOWN, "what became of the last"),
        ({"failed": {"why": "it fell"}}, 1, State.WARNING, "the service failed before a cycle "),
        ({"alarm": "the server accepted it"}, 1, State.CRITICAL, "ALARM: the server accepted it"),
        ({"other_host": "It is b's. So"}, 1, State.UNKNOWN, "It is b"),
    ],
)
def test_what_is_said_of_the_cycles(
    more: dict[str, Any], hours: float, state: State, said: str
) -> None:
    got, text = judge(workflow(GOOD), now=REPORTED + timedelta(hours=hours), **more)
    assert got is state
    assert text.startswith(f"COMFYWATCHMAN {state.name} - {said}")
    performance(text)


@pytest.mark.parametrize(("hours", "state"), [(23.9, State.OK), (24.1, State.WARNING)])
def test_a_host_that_is_always_skipped(hours: float, state: State) -> None:
    now = REPORTED + timedelta(hours=hours)
    skipped = last_run(outcome="skipped", reason="it renders", finished_at=now.isoformat())
    got, text = judge(workflow(GOOD), now=now, **skipped)
    assert got is state
    assert ("there is no new report for 24.1 hours: it renders" in text) is (got is State.WARNING)


def test_without_a_report_nothing_is_known_but_silence_counts_for_more() -> None:
    assert nagios.judge(status(), "there is none", NOW)[0] is State.UNKNOWN
    later = NOW + timedelta(days=1)
    state, text = nagios.judge(status(), "there is none", later)
    assert state is State.CRITICAL
    assert "25.0 hours; there" not in text  # a semicolon would begin a threshold
    assert list(performance(text)) == ["age"]


@pytest.mark.parametrize("hostile", sample.HOSTILE, ids=range(len(sample.HOSTILE)))
def test_a_hostile_name_forges_nothing(hostile: str) -> None:
    name = f"{hostile} | worse=0;;0;0 'x'=1 \"$(reboot)`"
    bad = [workflow(BAD, GOOD, name=name), workflow(HALF, GOOD, name=name)]
    harmless = performance(judge(workflow(BAD, GOOD), workflow(HALF, GOOD))[1])
    _, text = judge(*bad, **last_run(reason=name))
    assert performance(text) == harmless
    assert text.count("|") == 1
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f'\"`$<>&\\]", text)
    assert len(text.splitlines()) == 3


@pytest.mark.parametrize("letter", ["x", "é", "模", "😀", "\ud800", "\x1b"])
def test_an_answer_is_never_longer_than_they_read(letter: str) -> None:
    many = [workflow(BAD, GOOD, name=f"{n}{letter * 3000}") for n in range(3000)]
    _, text = judge(*many)
    assert len(text.encode()) <= 4096
    assert len(text.encode("ascii", "backslashreplace")) <= 4096
    assert performance(text)["worse"] == "3000;;0;0"
    assert len(text.splitlines()) > 3


def run(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "comfywatchman.cli", "status", "--format=nagios", *more]
    return subprocess.run(
        [*command, f"--state-dir={folder}"], capture_output=True, text=True, timeout=60
    )


def write(folder: Path, report: Report) -> None:
    folder.mkdir()
    now = datetime.now(UTC).isoformat()
    (folder / state_files.LATEST).write_text(report.model_dump_json())
    (folder / state_files.LAST_RUN).write_text(
        json.dumps({"outcome": "done", "started_at": now, "finished_at": now, "reason": ""})
    )


@pytest.mark.parametrize(
    ("found", "code"),
    [(workflow(GOOD), 0), (workflow(BAD), 1), (workflow(BAD, GOOD), 2)],
)
def test_the_program_ends_as_a_plugin_does(
    tmp_path: Path, found: WorkflowReport, code: int
) -> None:
    report = sample.report([found]).model_copy(update={"started_at": datetime.now(UTC)})
    write(tmp_path / "state", report)
    ended = run(tmp_path / "state")
    assert (ended.returncode, ended.stderr) == (code, "")
    assert ended.stdout.startswith(f"COMFYWATCHMAN {State(code).name} - ")


def test_what_cannot_be_read_is_not_known(tmp_path: Path) -> None:
    write(tmp_path / "state", sample.report([]))
    (tmp_path / "state" / state_files.LATEST).write_text("{")
    ended = run(tmp_path / "state")
    assert (ended.returncode, ended.stderr) == (3, "")
    assert "latest.json: is damaged" in ended.stdout
    ended = run(tmp_path / "state", f"--config={tmp_path}/none.toml")
    assert ended.returncode == 3
    (tmp_path / "c.toml").write_text("state_dir = 7\n")
    command = [sys.executable, "-m", "comfywatchman.cli", "status", "--format=nagios"]
    wrong = subprocess.run(
        [*command, f"--config={tmp_path}/c.toml"], capture_output=True, text=True, timeout=60
    )
    assert (wrong.returncode, wrong.stderr) == (3, "")
    assert wrong.stdout.startswith("COMFYWATCHMAN UNKNOWN - ")


def test_what_will_fail_is_named_and_counted() -> None:
    report = sample.damaged()
    state, text = nagios.judge(status(), report, NOW)
    assert state is State.CRITICAL  # nothing is known of before
    data = performance(text)
    assert (data["will_fail"], data["damaged_models"]) == ("2;0;;0", "2;;;0")
    assert "will fail: a.json: " in text
    old = [each.model_copy(update={"since": LONG_AGO}) for each in report.workflows]
    state, text = nagios.judge(status(), report.model_copy(update={"workflows": old}), NOW)
    assert state is State.WARNING
    assert "2 workflows will fail: a.json, b.json" in text
