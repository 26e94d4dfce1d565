"""The desktop, on a real bus: a stand-in for what shows notifications, and dunst, which does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from comfywatchman.channels import desktop
from comfywatchman.channels.sending.target import ChannelError
from comfywatchman.events.message import Priority
from tests.unit.channels import bus
from tests.unit.events.messages import message

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with bus.session(tmp_path) as address:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
        yield address


def seen(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


@bus.needs_a_bus
def test_a_message_replaces_the_one_before(address: str, tmp_path: Path) -> None:
    with bus.desktop(address, tmp_path / "first"):
        kept = desktop.send({}, message(1), {})
        kept = desktop.send({}, message(2, priority=Priority.NOTICE), kept)
    with bus.desktop(address, tmp_path / "second"):
        desktop.send({}, message(3), kept)
    first, second = seen(tmp_path / "first")
    assert (first["number"], first["replaces"], first["urgency"]) == (41, 0, 1)
    assert (second["number"], second["replaces"], second["urgency"]) == (41, 41, 0)
    assert second["summary"] == "host: 2 workflows got worse"
    assert [each["replaces"] for each in seen(tmp_path / "second")] == [0]  # another login


@bus.needs_a_bus
def test_names_forge_no_markup(address: str, tmp_path: Path) -> None:
    body = '<a href="http://x">\x1b[31m & \ud800\u202e</b>\nsecond'
    with bus.desktop(address, tmp_path / "seen"):
        desktop.send({}, message(body=body), {})
    (shown,) = seen(tmp_path / "seen")
    assert shown["body"] == (
        '&lt;a href="http://x"&gt;\\x1b[31m &amp; \\ud800\\u202e&lt;/b&gt;\nsecond'
    )
    assert shown["actions"] == []


@bus.needs_a_bus
def test_where_nothing_shows_notifications_it_waits(address: str) -> None:
    with pytest.raises(ChannelError, match="at the next login") as raised:
        desktop.send({}, message(), {})
    assert raised.value.waits


def test_without_a_bus_it_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(desktop, "_CGROUP", tmp_path / "none")
    with pytest.raises(ChannelError, match="at the next login") as raised:
        desktop.send({}, message(), {})
    assert raised.value.waits
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path}/gone")
    with pytest.raises(ChannelError, match="at the next login"):
        desktop.send({}, message(), {})


def test_a_service_of_the_system_says_that_it_cannot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    monkeypatch.setattr(desktop, "_CGROUP", tmp_path / "cgroup")
    (tmp_path / "cgroup").write_text("0::/system.slice/comfywatchman.notify.service\n")
    with pytest.raises(ChannelError, match="comfywatchman_scope user") as raised:
        desktop.send({}, message(), {})
    assert not raised.value.waits


@bus.needs_a_bus
@pytest.mark.skipif(
    None in map(shutil.which, ("Xvfb", "dunst", "dunstctl")), reason="Xvfb or dunst is not here"
)
def test_dunst_shows_it(address: str, tmp_path: Path) -> None:
    number, display = os.pipe()
    x = subprocess.Popen(
        ["Xvfb", "-displayfd", str(display), "-screen", "0", "800x400x24", "-nolisten", "tcp"],
        pass_fds=[display], stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(display)
    with os.fdopen(number) as stream:
        environment = os.environ | {"DISPLAY": f":{stream.readline().strip()}"}
    dunst = subprocess.Popen(["dunst"], env=environment, stderr=subprocess.DEVNULL)
    try:
        kept: dict[str, Any] = {}

        def shown() -> bool:
            nonlocal kept
            try:
                kept = desktop.send({}, message(7, body="a <b>"), {})
            except ChannelError:  # it is not there yet
                return False
            return True

        bus.wait_for(shown)
        desktop.send({}, message(8), kept)
        command = ["dunstctl", "count", "displayed"]
        count = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert count.stdout.strip() == "1"
    finally:
        for process in (dunst, x):
            process.terminate()
            process.wait()
