"""Having what waits sent, without waiting: by hand, under systemd, and where there is none."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from comfywatchman import state_files
from comfywatchman.channels.sending import starting
from tests.unit.channels.bus import wait_for

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a program notes that is started in the place of Python."""
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\necho "$@" > "{tmp_path}/part"; mv "{tmp_path}/part" "{tmp_path}/said"\n'
    )
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.delenv("INVOCATION_ID", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    (tmp_path / "bin").mkdir()
    (tmp_path / "state").mkdir()
    return tmp_path / "said"


def systemctl(folder: Path, script: str) -> None:
    file = folder / "bin" / "systemctl"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def test_where_there_is_no_unit_a_process_of_its_own_sends(tmp_path: Path, said: Path) -> None:
    systemctl(tmp_path, "exit 1")
    (tmp_path / "config.toml").touch()
    assert starting.start("", tmp_path / "state", tmp_path / "config.toml") is None
    wait_for(said.exists)
    assert said.read_text().split() == [
        *("-P", "-m", "comfywatchman.cli", "notify", "--send", "--state-dir"),
        *(str(tmp_path / "state"), "--config", str(tmp_path / "config.toml")),
    ]
    assert (tmp_path / "state" / state_files.NOTIFY_WANTED).exists()


@pytest.mark.parametrize("scope", ["--user", "--system"])
def test_where_there_is_a_unit_that_sends(tmp_path: Path, said: Path, scope: str) -> None:
    systemctl(
        tmp_path, f'echo "$@" >> "{tmp_path}/asked"; [ "$1" = {scope} ] && touch "{tmp_path}/done"'
    )
    assert starting.start("gpu1", tmp_path / "state", None) is None
    wait_for((tmp_path / "done").exists)
    asked = (tmp_path / "asked").read_text().splitlines()
    assert (
        asked
        == [
            "--user --no-ask-password start --no-block comfywatchman-gpu1.notify.service",
            "--system cat comfywatchman-gpu1.notify.service",
        ][: 1 if scope == "--user" else 2]
    )
    assert not said.exists()


def test_a_service_leaves_it_to_its_manager(
    tmp_path: Path, said: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    systemctl(tmp_path, f'touch "{said}"')
    monkeypatch.setenv("INVOCATION_ID", "77")
    monkeypatch.setenv("SYSTEMD_EXEC_PID", str(os.getpid()))
    assert starting.start("", tmp_path / "state", None) is None
    assert (tmp_path / "state" / state_files.NOTIFY_WANTED).exists()
    assert not said.exists()


def test_a_state_folder_that_cannot_be_written_is_said(tmp_path: Path, said: Path) -> None:
    why = starting.start("", tmp_path / "none", None)
    assert why is not None
    assert "is sent after the next cycle" in why
