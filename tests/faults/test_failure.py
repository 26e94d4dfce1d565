"""``comfywatchman notify``: what systemd's OnFailure= runs when a cycle has failed."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from comfywatchman import state_files
from comfywatchman.schedule import failure

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.conftest import Host
    from tests.standin.comfyui import StandIn

PATIENT = {"read_timeout": "600", "catalog_timeout": "600"}
UNIT = "comfywatchman-gpu1.service"


def notify(
    host: Host, result: str, status: str = "", *arguments: str, **settings: str
) -> subprocess.CompletedProcess[str]:
    host.environment |= {
        "MONITOR_UNIT": UNIT,
        "MONITOR_SERVICE_RESULT": result,
        "MONITOR_EXIT_STATUS": status,
        "MONITOR_INVOCATION_ID": "0123abcd",
    }
    ended = host.run("notify", "--failed-unit", UNIT, *arguments, **settings)
    assert ended.returncode == 0
    return ended


def program(tmp_path: Path, text: str) -> str:
    """A command, as the environment takes it, that runs this text of Python."""
    file = tmp_path / "on failure.py"
    file.write_text(text)
    return shlex.join([sys.executable, str(file), "an argument"])


WRITES_ENVIRONMENT = """
import json, os, sys
told = {k: v for k, v in os.environ.items() if k.startswith("COMFYWATCHMAN_")}
json.dump([sys.argv[1:], told], open(os.environ["COMFYWATCHMAN_STATE_DIR"] + "/told", "w"))
"""


def test_a_cycle_that_was_killed_is_on_record_and_told(
    host: Host, comfyui: StandIn, tmp_path: Path
) -> None:
    comfyui.behaviour = "hang@/object_info"
    with host.start(comfyui_url=comfyui.url, **PATIENT) as killed:
        comfyui.wait_for("/object_info")
        killed.kill()
    command = program(tmp_path, WRITES_ENVIRONMENT)
    ended = notify(host, "oom-kill", "KILL", on_failure_command=command)
    why = "the kernel killed it for want of memory"
    assert f"{UNIT} failed: {why}" in ended.stderr
    assert "what to do: see whether the host or MemoryMax= is short of it" in ended.stderr
    assert "journalctl _SYSTEMD_INVOCATION_ID=0123abcd" in ended.stderr
    assert host.last_run["outcome"] == "failed"
    assert host.last_run["pid"] == killed.pid
    assert host.last_run["reason"] == f"the cycle was ended in the middle: {why}"
    assert host.last_run["finished_at"] >= host.last_run["started_at"]
    arguments, told = json.loads((host.state / "told").read_text())
    assert arguments == ["an argument"]
    assert told["COMFYWATCHMAN_FAILED_UNIT"] == UNIT
    assert told["COMFYWATCHMAN_REASON"] == why
    assert told["COMFYWATCHMAN_HOST"]


def test_a_cycle_that_runs_now_is_left_alone(host: Host, comfyui: StandIn) -> None:
    comfyui.behaviour = "hold@/object_info"
    with host.start(comfyui_url=comfyui.url, **PATIENT) as running:
        comfyui.wait_for("/object_info")
        notify(host, "signal", "KILL")
        assert host.last_run["outcome"] == "running"
        comfyui.behaviour = "ok"
        running.communicate(timeout=180)
    assert host.last_run["outcome"] == "done"


def test_a_wrong_configuration_is_told_though_it_is_wrong(host: Host, tmp_path: Path) -> None:
    command = json.dumps(shlex.split(program(tmp_path, WRITES_ENVIRONMENT)))
    file = tmp_path / "config.toml"
    file.write_text(f"on_failure_command = {command}\nread_timeout = -1")
    host.environment["COMFYWATCHMAN_CONFIG"] = str(file)
    assert host.run().returncode == 78
    own_words = host.last_run
    ended = notify(host, "exit-code", "78")
    assert f"{UNIT} failed: its configuration is wrong: {file}: read_timeout = -1" in ended.stderr
    assert "read_timeout" in (host.state / "told").read_text()
    assert host.last_run == own_words

    file.write_text("on_failure_command = [")
    assert "on_failure_command is not known: " in notify(host, "exit-code", "78").stderr


@pytest.mark.parametrize(
    ("text", "limit", "told"),
    [
        ("import sys; sys.exit(3)", 60, "ended with exit code 3"),
        ("import time; time.sleep(600)", 0.5, "took longer than 0.5 s: ended"),
        (None, 60, "cannot be started: "),
    ],
)
def test_a_command_that_fails_is_told_and_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, limit: float, told: str
) -> None:
    monkeypatch.setattr(failure, "COMMAND_TIME_LIMIT", limit)
    command = program(tmp_path, text) if text else str(tmp_path / "gone")
    monkeypatch.setenv("COMFYWATCHMAN_ON_FAILURE_COMMAND", command)
    said: list[str] = []
    failed = failure.Failure(UNIT, "timeout", "TERM")
    failure.handle(failed, tmp_path, None, lambda _, line: said.append(line))
    assert told in said[-1]
    assert subprocess.run(["pgrep", "-f", str(tmp_path)], stdout=subprocess.PIPE).stdout == b""
    assert said[0] == f"{UNIT} failed: it took longer than TimeoutStartSec= allows and was ended"


@pytest.mark.parametrize("record", [b"[]", b'{"half', None])
def test_a_record_that_is_damaged_hides_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record: bytes | None
) -> None:
    file = tmp_path / state_files.LAST_RUN
    if record is None:
        os.mkfifo(file)
    else:
        file.write_bytes(record)
    monkeypatch.setenv("COMFYWATCHMAN_ON_FAILURE_COMMAND", program(tmp_path, ""))
    said: list[str] = []
    failed = failure.Failure(UNIT, "exit-code", "70")
    failure.handle(failed, tmp_path, None, lambda _, line: said.append(line))
    assert any(f"{file} could not be brought up to date: " in line for line in said)
    assert said[-1].endswith(" has run")


def test_a_log_that_is_gone_keeps_the_command_from_nothing(host: Host, tmp_path: Path) -> None:
    host.state.mkdir()
    command = program(tmp_path, WRITES_ENVIRONMENT)
    host.environment["COMFYWATCHMAN_ON_FAILURE_COMMAND"] = command
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        [sys.executable, "-m", "comfywatchman.cli", "notify", f"--failed-unit={UNIT}"],
        env=host.environment | {"MONITOR_SERVICE_RESULT": "timeout"},
        stderr=writing,
    )
    os.close(writing)
    assert ended.returncode == 0
    assert "allows and was ended" in (host.state / "told").read_text()


@pytest.mark.parametrize(
    ("result", "status", "why"),
    [
        ("exit-code", "1", "workflows are as bad as fail_on says"),
        ("exit-code", "70", "a bug of ComfyWatchman"),
        ("exit-code", "74", "its state folder cannot be written"),
        ("exit-code", "203", "its program cannot be started"),
        ("exit-code", "226", "its sandbox cannot be set up"),
        ("exit-code", "243", "its credentials cannot be read"),
        ("exit-code", "9", "it ended with exit code 9"),
        ("signal", "KILL", "it was killed by SIGKILL"),
        ("signal", "9", "it was killed by SIGKILL"),
        ("core-dump", "SEGV", "it was killed by SIGSEGV"),
        ("start-limit-hit", "", "it failed too often"),
        ("protocol", "", "its result is 'protocol'"),
    ],
)
def test_each_result_is_a_sentence(result: str, status: str, why: str) -> None:
    told, remedy = failure.Failure(UNIT, result, status).explain()
    assert told.startswith(why)
    assert remedy
