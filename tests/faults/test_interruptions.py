"""Cycles that are killed, stopped, or meet each other."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.faults.conftest import KEPT, REPORTS

if TYPE_CHECKING:
    from tests.faults.conftest import Host
    from tests.standin.comfyui import StandIn

PATIENT = {"read_timeout": "600", "catalog_timeout": "600"}


@pytest.mark.parametrize("path", ["/system_stats", "/object_info", "/models/loras", "/userdata"])
def test_kill_9_in_the_middle(host: Host, comfyui: StandIn, path: str) -> None:
    assert host.run(comfyui_url=comfyui.url).returncode == 0
    before = {name: (host.state / name).read_bytes() for name in REPORTS}
    first = host.last_run

    comfyui.requests.clear()
    comfyui.behaviour = f"hang@{path}"
    with host.start(comfyui_url=comfyui.url, **PATIENT) as killed:
        comfyui.wait_for(path)
        (host.state / f".latest.json.{killed.pid}.part").write_bytes(b'{"half": ')
        killed.kill()
    assert killed.returncode == -signal.SIGKILL
    assert {name: (host.state / name).read_bytes() for name in REPORTS} == before
    if path != "/system_stats":  # there the probes run side by side, the lock may not be taken yet
        assert (host.last_run["outcome"], host.last_run["pid"]) == ("running", killed.pid)
        status = host.run("status")
        assert status.returncode == 0
        assert "was killed in the middle; the report before it is intact" in status.stdout

    comfyui.behaviour = "ok"
    assert host.run(comfyui_url=comfyui.url).returncode == 0
    assert host.last_run["outcome"] == "done"
    assert host.last_run["started_at"] > first["started_at"]
    assert host.latest["started_at"] > first["started_at"]
    assert host.files() == KEPT


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_cycle_that_is_told_to_stop_says_so(
    host: Host, comfyui: StandIn, number: signal.Signals
) -> None:
    comfyui.behaviour = "hang@/object_info"
    before = signal.signal(number, signal.SIG_DFL)  # what runs in the background ignores SIGINT
    try:
        process = host.start(comfyui_url=comfyui.url, **PATIENT)
    finally:
        signal.signal(number, before)
    with process as stopped:
        comfyui.wait_for("/object_info")
        stopped.send_signal(number)
        _, stderr = stopped.communicate(timeout=180)
    assert stopped.returncode == 128 + number
    assert host.last_run["outcome"] == "failed"
    assert host.last_run["reason"].startswith(f"the cycle was stopped by {number.name}")
    assert host.last_run["reason"] in stderr
    assert "Traceback" not in stderr


TOLD_TO_STOP_LAST = """
import os, signal, sys
from comfywatchman import cli
from comfywatchman.report.store import ReportStore

finish = ReportStore.finish

def finish_and_be_told(*arguments, **more):
    finish(*arguments, **more)
    ReportStore.finish = finish
    os.kill(os.getpid(), signal.SIGTERM)

ReportStore.finish = finish_and_be_told
sys.argv = ["comfywatchman", "--run-check"]
cli.main()
"""


def test_a_cycle_that_is_told_to_stop_once_its_ending_is_on_record_has_ended(
    host: Host, comfyui: StandIn
) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", TOLD_TO_STOP_LAST],
        env=host.environment | {"COMFYWATCHMAN_COMFYUI_URL": comfyui.url},
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert ended.returncode == 0, ended.stderr
    assert host.last_run["outcome"] == "done"
    assert host.last_run["summary"] == host.latest["summary"]


def test_two_cycles_at_once(host: Host, comfyui: StandIn) -> None:
    comfyui.behaviour = "hold@/object_info"
    with host.start(comfyui_url=comfyui.url, **PATIENT) as first:
        comfyui.wait_for("/object_info")
        second = host.run("check", "--format", "json", comfyui_url=comfyui.url)
        assert second.returncode == 75
        assert "another cycle is running on this host" in second.stderr
        assert json.loads(second.stdout)["outcome"] == "skipped"
        assert (host.last_run["outcome"], host.last_run["pid"]) == ("running", first.pid)
        assert "A cycle is running" in host.run("status").stdout
        comfyui.behaviour = "ok"
        assert first.wait(timeout=180) == 0
        first.communicate()
    assert (host.last_run["outcome"], host.last_run["pid"]) == ("done", first.pid)
    assert host.files() == KEPT


def test_a_lock_that_cannot_be_taken_is_not_taken_for_another_cycle(
    host: Host, comfyui: StandIn
) -> None:
    (host.state / "cycle.lock").mkdir(parents=True)
    assert host.run(comfyui_url=comfyui.url).returncode == 0
    assert host.last_run["outcome"] == "skipped"
    assert "cycle.lock cannot be taken: " in host.last_run["reason"]


def test_a_hangup_that_nohup_keeps_away_stays_away(host: Host, comfyui: StandIn) -> None:
    comfyui.behaviour = "hold@/object_info"
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        cycle = host.start(comfyui_url=comfyui.url, **PATIENT)
    finally:
        signal.signal(signal.SIGHUP, before)
    with cycle:
        comfyui.wait_for("/object_info")
        cycle.send_signal(signal.SIGHUP)
        comfyui.behaviour = "ok"
        cycle.communicate(timeout=180)
    assert cycle.returncode == 0
