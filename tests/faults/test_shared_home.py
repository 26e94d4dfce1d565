"""A home that several hosts use: what the cycle of one host does with the state of another."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from comfywatchman import host
from comfywatchman.host import Host as Signs
from tests.faults.conftest import make_host

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.conftest import Host
    from tests.standin.comfyui import StandIn

OTHER = Signs("render1", "1" * 32, ("a card",))


@pytest.fixture
def reported(tmp_path: Path, comfyui: StandIn) -> Host:
    """A host with a report and the cache of its verdicts."""
    made = make_host(tmp_path)
    assert made.run(comfyui_url=comfyui.url).returncode == 0
    return made


def give_away(state: Path) -> dict[str, bytes]:
    """Let a state folder be another host's; all that is in it then."""
    (state / host.OWNER).unlink()
    assert host.claim(state, OTHER) is None
    return content(state)


def content(state: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in state.iterdir()}


def test_the_first_cycle_writes_whose_it_is(reported: Host) -> None:
    assert host.read(reported.state) == host.here()


@pytest.mark.parametrize(
    "command", [["--run-check"], ["check"], ["schedule", "--run-now"], ["--run-check", "broken"]]
)
def test_no_cycle_writes_into_the_state_of_another_host(
    command: list[str], reported: Host, comfyui: StandIn
) -> None:
    before = give_away(reported.state)
    url = comfyui.url
    if command[-1] == "broken":
        command, url = command[:-1], "nonsense"
    ended = reported.run(*command, comfyui_url=url)
    assert ended.returncode == 78, ended.stderr
    assert f"{reported.state} belongs to the host render1, with which this host" in ended.stderr
    assert content(reported.state) == before
    (remedy,) = re.findall(r"(rm \S+)\. ", ended.stderr)
    subprocess.run(remedy, shell=True, check=True)
    assert reported.run(comfyui_url=comfyui.url).returncode == 0
    assert host.read(reported.state) == host.here()


def test_the_timer_of_another_host_is_no_failure(reported: Host, comfyui: StandIn) -> None:
    before = give_away(reported.state)
    program = (
        "import os, sys; os.environ['SYSTEMD_EXEC_PID'] = str(os.getpid());"
        "sys.argv = ['comfywatchman', '--run-check']; from comfywatchman.cli import main; main()"
    )
    url = {"COMFYWATCHMAN_COMFYUI_URL": comfyui.url}
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env=reported.environment | url,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    assert "skipped: " in ended.stderr
    assert "belongs to the host render1" in ended.stderr
    assert content(reported.state) == before


def test_a_container_that_is_made_anew_keeps_its_state_by_a_name(
    reported: Host, comfyui: StandIn
) -> None:
    give_away(reported.state)
    assert reported.run(comfyui_url=comfyui.url, host_name="worker").returncode == 0
    made_anew = {"name": "x", "machine": "2", "given": "worker"}
    (reported.state / host.OWNER).write_text(json.dumps(made_anew))
    assert reported.run(comfyui_url=comfyui.url, host_name="worker").returncode == 0
    ended = reported.run(comfyui_url=comfyui.url, host_name="another worker")
    assert ended.returncode == 78
    assert "belongs to the host worker, with which this host (another worker)" in ended.stderr


def test_status_doctor_and_the_notification_say_whose_it_is(reported: Host) -> None:
    last_run = json.loads((reported.state / "last-run.json").read_text())
    (reported.state / "last-run.json").write_text(json.dumps(last_run | {"outcome": "running"}))
    before = give_away(reported.state)
    sentence = f"{reported.state} belongs to the host render1"
    assert f"Other host   {sentence}" in reported.run("status").stdout
    assert sentence in json.loads(reported.run("status", "--format", "json").stdout)["other_host"]
    assert sentence in reported.run("doctor").stdout
    told = reported.run("notify", "--failed-unit", "comfywatchman.service")
    assert told.returncode == 0, told.stderr
    assert content(reported.state) == before
