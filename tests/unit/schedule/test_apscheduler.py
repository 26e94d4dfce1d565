"""The schedule, as far as it needs no process of its own."""

from __future__ import annotations

import shlex
import sys
import threading
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

from comfywatchman import clock
from comfywatchman.schedule import apscheduler as scheduler

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_cycle_that_cannot_be_started_is_told_and_raises_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "removed" / "python"))
    monkeypatch.setenv("COMFYWATCHMAN_ON_FAILURE_COMMAND", f"/bin/mkdir {tmp_path}/told")
    scheduler._Cycles(tmp_path, None, limit=60).run()
    assert "the cycle cannot be started: [Errno 2]" in caplog.text
    assert "the cycle failed: its program cannot be started" in caplog.text
    assert (tmp_path / "told").is_dir()


def test_a_command_that_hangs_does_not_keep_the_schedule_from_ending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "removed" / "python"))
    command = ["/bin/sh", "-c", 'echo > "$0"; sleep 600', str(tmp_path / "runs")]
    monkeypatch.setenv("COMFYWATCHMAN_ON_FAILURE_COMMAND", shlex.join(command))
    cycles = scheduler._Cycles(tmp_path, None, limit=60)
    cycle = threading.Thread(target=cycles.run, daemon=True)
    cycle.start()
    deadline = time.monotonic() + 60
    while not (tmp_path / "runs").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    cycles.stop()
    cycle.join(60)
    assert not cycle.is_alive()


def test_a_process_that_had_to_wait_does_not_take_its_clock_for_one_that_was_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ticks, wall = iter([10.0, 13.0, 13.0, 13.01]), iter([1013.0, 1013.0])
    clocks = SimpleNamespace(monotonic=lambda: next(ticks), time=lambda: next(wall))
    monkeypatch.setattr(clock, "time", clocks)  # where it waits 3 s between the first two
    assert clock.ahead() == 1000.0


def test_no_cycle_is_started_once_it_is_to_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "removed" / "python"))
    cycles = scheduler._Cycles(tmp_path, None, limit=60)
    cycles.stop()
    cycles.run()
    assert caplog.text == ""
