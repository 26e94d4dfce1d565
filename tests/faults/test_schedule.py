"""``comfywatchman schedule``: cycles that hang, die and are stopped, and a clock that is set."""

from __future__ import annotations

import json
import math
import os
import signal
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.conftest import KEPT

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator

    from tests.faults.clock import Clock
    from tests.faults.conftest import Host
    from tests.standin.comfyui import StandIn

PATIENT = {"read_timeout": "600", "catalog_timeout": "600"}
OFTEN = {"schedule_interval": "1", "schedule_jitter": "0", "schedule_first_delay": "0"}
SELDOM = {"schedule_interval": "3600", "schedule_jitter": "60"}


@pytest.fixture
def start(host: Host, comfyui: StandIn) -> Iterator[Any]:
    """Starts a schedule against the stand-in; whatever is left of it is killed after the test."""
    started: list[subprocess.Popen[str]] = []

    def starter(*arguments: str, **settings: str) -> subprocess.Popen[str]:
        process = host.start("schedule", *arguments, comfyui_url=comfyui.url, **settings)
        started.append(process)
        return process

    yield starter
    for process in started:
        process.kill()
        process.communicate()


def wait_for(condition: Callable[[], object], what: str, seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)


def last_run(host: Host) -> dict[str, Any]:
    return host.last_run if (host.state / "last-run.json").exists() else {}


def log(host: Host) -> str:
    return (host.state / "schedule.log").read_text()


def stop(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> str:
    process.send_signal(number)
    _, stderr = process.communicate(timeout=180)
    assert process.returncode == 0
    assert "Traceback" not in stderr
    return stderr


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_cycle_that_is_killed_or_hangs_never_stops_the_next(
    host: Host, comfyui: StandIn, start: Any
) -> None:
    begun = time.monotonic()
    assert host.run(comfyui_url=comfyui.url).returncode == 0
    limit = max(6, math.ceil(6 * (time.monotonic() - begun)))  # a cycle can do its work within it
    comfyui.requests.clear()
    comfyui.behaviour = "hang@/object_info"
    schedule = start(**OFTEN, **PATIENT, cycle_time_limit=str(limit))
    comfyui.wait_for("/object_info")
    wait_for(lambda: last_run(host).get("outcome") == "running", "a cycle")
    killed = host.last_run["pid"]
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: last_run(host).get("pid") != killed, "the cycle after the killed one")
    hanging = host.last_run["pid"]
    told = "a word on the cycle that hangs"
    wait_for(lambda: "cycle_time_limit" in log(host), told, limit + 180)
    wait_for(lambda: not alive(hanging), "the end of the cycle that hangs")
    comfyui.behaviour = "ok"
    wait_for(lambda: "INFO cycle done" in log(host), "a cycle that does its work")
    stderr = stop(schedule)
    assert "ERROR the cycle failed: it was killed by SIGKILL" in stderr
    told = f"it took longer than cycle_time_limit ({limit} s) allows"
    assert f"ERROR the cycle failed: {told}" in stderr
    assert "ERROR cycle failed: the cycle was stopped by SIGTERM" in stderr
    assert "INFO as before: 1 broken, 1 runnable" in stderr
    assert "INFO cycle done: 2 workflows: 1 runnable, 1 broken" in stderr
    assert stderr == log(host)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_cleanly_in_the_middle_of_a_cycle(
    host: Host, comfyui: StandIn, start: Any, number: signal.Signals
) -> None:
    comfyui.behaviour = "hang@/object_info"
    host.state.mkdir(mode=0o700)
    (host.state / "schedule.log").write_text("x" * 1024**2)
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)  # what runs in the background ignores it
    begun = datetime.now(UTC)
    try:
        schedule = start("--run-now", **SELDOM, **PATIENT)
    finally:
        signal.signal(signal.SIGINT, before)
    comfyui.wait_for("/object_info")
    wait_for(lambda: last_run(host).get("outcome") == "running", "a cycle")
    wait_for((host.state / "schedule.json").exists, "a word on when the next is due")
    facts = json.loads((host.state / "schedule.json").read_bytes())
    due = datetime.fromisoformat(facts["next_run"])
    assert begun + timedelta(minutes=59) < due <= datetime.now(UTC) + timedelta(minutes=61)
    stop(schedule, number)
    assert host.last_run["outcome"] == "failed"
    assert host.last_run["reason"].startswith("the cycle was stopped by SIGTERM")
    assert not alive(host.last_run["pid"])
    assert host.files() <= {*KEPT, "schedule.lock", "schedule.log", "schedule.log.1"}
    assert f"{number.name}: schedule ends" in log(host)
    assert (host.state / "schedule.log").stat().st_mode & 0o777 == 0o600


def test_a_second_one_is_refused_and_one_that_was_killed_leaves_no_cycle_behind(
    host: Host, comfyui: StandIn, start: Any
) -> None:
    comfyui.behaviour = "hang@/object_info"
    first = start("--run-now", **SELDOM, **PATIENT)
    comfyui.wait_for("/object_info")
    wait_for(lambda: last_run(host).get("outcome") == "running", "a cycle")
    second = host.run("schedule")
    assert second.returncode == 75
    assert f"another `comfywatchman schedule` serves {host.state}; stop that one" in second.stderr

    first.kill()
    wait_for(lambda: not alive(host.last_run["pid"]), "the end of the cycle")
    assert host.last_run["reason"].startswith("the cycle was stopped by SIGTERM")
    comfyui.behaviour = "ok"
    third = start("--run-now", **SELDOM)
    wait_for(lambda: host.last_run["outcome"] == "done", "a cycle of the next schedule")
    stop(third)


def test_a_log_that_cannot_be_written_ends_nothing(host: Host, start: Any) -> None:
    (host.state / "schedule.log").mkdir(parents=True)
    schedule = start(**SELDOM)
    wait_for((host.state / "schedule.json").exists, "the schedule")
    stderr = stop(schedule)
    assert "schedule.log cannot be written: Is a directory; this log goes to" in stderr
    assert "INFO the next cycle is due at " in stderr


def test_wrong_settings_are_a_sentence_and_on_record(host: Host) -> None:
    refused = host.run("schedule", "--schedule-interval", "0")
    assert refused.returncode == 78
    assert "--schedule-interval = '0': input should be greater than 0" in refused.stderr
    assert host.last_run["outcome"] == "failed"
    (host.state / "schedule.lock").mkdir()
    refused = host.run("schedule")
    assert refused.returncode == 78
    assert f"{host.state}/schedule.lock cannot be taken: Is a directory" in refused.stderr


def test_a_clock_that_is_set_neither_silences_nor_multiplies_it(
    host: Host, comfyui: StandIn, start: Any, clock: Clock
) -> None:
    host.environment |= clock.environment
    schedule = start("--run-now", **SELDOM)

    def cycles() -> int:
        return log(host).count("INFO the cycle took")

    def due_in() -> float:
        facts = json.loads((host.state / "schedule.json").read_bytes())
        return datetime.fromisoformat(facts["next_run"]).timestamp() - time.time()

    wait_for((host.state / "schedule.json").exists, "the schedule")
    wait_for(lambda: cycles() == 1, "the first cycle")
    clock.set(86_400)  # as after a night asleep
    wait_for(lambda: cycles() == 2, "the cycle that was missed")
    wait_for(lambda: 86_400 < due_in() <= 86_400 + 3_660, "the next, an interval later")
    clock.set(0)
    wait_for(lambda: 0 < due_in() <= 3_660, "the next, no later by the clock that was set back")
    clock.set(3_700)
    wait_for(lambda: cycles() == 3, "the cycle that is due")
    stderr = stop(schedule)
    assert cycles() == 3
    assert "the clock was set 86400 s back" in stderr
