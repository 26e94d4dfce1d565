"""Sending what waits: once, in spite of channels that are down, hang, or are killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from comfywatchman import settings, state_files
from comfywatchman.channels.sending import kept, sender
from comfywatchman.channels.sending.target import Target
from comfywatchman.events.message import Doubt, Message, Priority, Topic
from comfywatchman.events.outbox import Outbox, State
from comfywatchman.gate import lock
from tests.standin.comfyui import StandIn
from tests.standin.healthchecks import UUID, Healthchecks
from tests.unit.events import messages

if TYPE_CHECKING:
    from collections.abc import Callable

REPOSITORY = Path(__file__).parents[4]


def message(number: int = 0, **more: Any) -> Message:
    """One that is not old enough to be dropped."""
    return messages.message(number, at=datetime.now(UTC).replace(microsecond=number), **more)


class Host:
    """A state folder with an outbox, a program that notes what it is told, and addresses."""

    def __init__(self, folder: Path) -> None:
        self.state, self.told = folder / "state", folder / "told"
        self.state.mkdir()
        messages.begin(self.state)
        self.program = folder / "tell"
        self.works()
        self.given: dict[str, Any] = {
            "state_dir": self.state,
            "on_change_command": [str(self.program)],
        }
        self.said: list[str] = []

    def works(self) -> None:
        self._program(f'echo "$COMFYWATCHMAN_MESSAGE" >> "{self.told}"')

    def fails(self) -> None:
        self._program("exit 3")

    def _program(self, script: str) -> None:
        self.program.write_text(f"#!/bin/sh\n{script}\n")
        self.program.chmod(0o755)

    def urls(self, *lines: str) -> None:
        file = self.state.parent / "urls"
        file.write_text("\n".join(lines))
        file.chmod(0o600)
        self.given["notify_urls_file"] = file

    def put(self, *what: Message, kinds: tuple[str, ...] = ("command",)) -> None:
        with Outbox(self.state) as outbox:
            for each in what:
                outbox.put(each, kinds)

    def send(self) -> list[str]:
        """Send what waits; the ids that the program has been told, so far."""
        sender.send(settings.load(self.given), self.state, lambda _, text: self.said.append(text))
        return self.told.read_text().split() if self.told.exists() else []

    def pending(self, kind: str = "command") -> list[str]:
        with Outbox(self.state, readonly=True) as outbox:
            return [each.id for each in outbox.pending(kind)]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_what_waits_is_sent_once_the_oldest_first(host: Host) -> None:
    host.put(message(2), message(1))
    assert host.send() == [message(1).id, message(2).id]
    assert host.send() == [message(1).id, message(2).id]
    assert host.pending() == []
    assert not (host.state / state_files.NOTIFY_WANTED).exists()


def test_a_channel_that_is_down_for_five_cycles_is_told_once_it_is_back(host: Host) -> None:
    host.fails()
    host.put(message(1), message(2))
    for _ in range(5):
        assert host.send() == []
        assert (host.state / state_files.NOTIFY_WANTED).exists()
    (channel,) = kept.failing(host.state)
    assert channel.since is not None
    assert channel.text.startswith(
        f"on_change_command {host.program} could not be reached since 20"
    )
    assert channel.why == "it ended with exit code 3"
    with Outbox(host.state) as outbox:
        assert outbox.take_counts() == {("command", "failed"): 5}
    host.works()
    assert host.send() == [message(1).id, message(2).id]
    assert kept.failing(host.state) == []


def test_of_several_addresses_each_is_told_once(host: Host) -> None:
    with Healthchecks() as works, Healthchecks(status=500) as fails:
        host.urls(f"json{works.url[4:]}/api/push/a", f"json{fails.url[4:]}/api/push/b")
        host.put(message(), kinds=("apprise",))
        host.send()
        host.send()
        assert len(works.pushes) == 1
        assert host.pending("apprise") == [message().id]
        assert [each.name for each in kept.failing(host.state)] == ["json (line 2)"]
        fails.status = 0
        host.send()
        host.send()
    assert (len(works.pushes), len(fails.pushes)) == (1, 1)
    assert host.pending("apprise") == []
    assert kept.read(host.state).reached == {}


def test_only_what_an_address_wants_goes_there(host: Host) -> None:
    with Healthchecks() as server:
        host.urls(f"mended=json{server.url[4:]}/api/push/a")
        host.put(message(1), kinds=("apprise",))
        host.send()
        assert (server.pushes, host.pending("apprise")) == ([], [])
        host.put(message(2, topics=(Topic.MENDED,)), kinds=("apprise",))
        host.send()
    assert len(server.pushes) == 1


def test_two_that_hang_keep_nothing_from_three_others(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "TRY", 8.0)
    hang = threading.Event()
    with Healthchecks(hang=hang) as hangs, Healthchecks() as works:
        lines = [f"json{hangs.url[4:]}/api/push/{n}?rto=60&cto=60" for n in range(2)]
        lines += [f"json{works.url[4:]}/api/push/{n}" for n in range(2)]
        host.urls(*lines)
        host.put(message(), kinds=("apprise", "command"))
        came: list[bool] = []

        def seen(_: int, text: str) -> None:
            if text.endswith(": sent"):
                came.append(bool(hangs.pushes))  # while those hang
            host.said.append(text)

        sender.send(settings.load(host.given), host.state, seen)
    assert came == [False] * 3
    assert len(works.pushes) == 2
    assert sum(text.endswith("it took longer than 8 s") for text in host.said) == 2
    assert (host.pending("command"), host.pending("apprise")) == ([], [message().id])


def test_all_together_have_a_time_limit(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "ALL", 0.0)
    host.put(message())
    target = Target("command", "it", {"command": [str(host.program)], "state_dir": "/x"})
    assert list(sender._run([sender.Job(target, [message()])], kept.Kept(), 0.0)) == []
    assert not host.told.exists()


def test_the_desktop_waits_without_a_trouble(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={host.state}/none")
    host.given |= {"on_change_command": [], "desktop_notifications": True}
    host.put(message(), kinds=("desktop",))
    host.send()
    assert kept.failing(host.state) == []
    assert host.pending("desktop") == [message().id]
    with Outbox(host.state) as outbox:
        assert outbox.take_counts() == {}


def test_a_file_of_addresses_that_is_wrong_is_a_trouble_and_nothing_is_lost(host: Host) -> None:
    host.urls("hunter2 is no address")
    host.put(message(), kinds=("apprise", "command"))
    assert host.send() == [message().id]
    assert host.pending("apprise") == [message().id]
    (channel,) = kept.failing(host.state)
    assert "line 1 is not of the form" in channel.text
    assert "hunter2" not in channel.text
    with Healthchecks() as server:
        host.urls(f"json{server.url[4:]}/api/push/a")
        host.send()
    assert (kept.failing(host.state), host.pending("apprise")) == ([], [])


def test_what_waits_for_a_channel_that_is_gone_is_dropped_with_a_word(host: Host) -> None:
    host.put(message(), kinds=("desktop",))
    host.send()
    assert any("not set up any more" in text for text in host.said)
    with Outbox(host.state) as outbox:
        assert [d.state for d in outbox.deliveries()] == [State.DROPPED]


def test_the_last_ending_is_told_by_ping(host: Host) -> None:
    last = {"outcome": "done", "reason": "well", "started_at": datetime.now(UTC).isoformat()}
    (host.state / state_files.LAST_RUN).write_text(json.dumps(last))
    file = host.state.parent / "ping_url"
    host.given["ping_url_file"] = file
    with Healthchecks(limit=500, status=503) as server:
        file.write_text(f"{server.url}/{UUID}")
        file.chmod(0o600)
        host.send()
        assert [each.name for each in kept.failing(host.state)] == ["ping"]
        server.status = 0
        host.send()
        host.send()
        told = dict(sender.test(settings.load(host.given), host.state, "node1"))
        host.send()
    assert [each.action for each in server.pings] == ["", "log"]
    assert told == {f"on_change_command {host.program}": "", "ping": ""}
    with Outbox(host.state) as outbox:
        assert outbox.take_counts() == {("ping", "failed"): 1, ("ping", "sent"): 1}


def test_a_test_goes_everywhere_and_changes_nothing(host: Host) -> None:
    with Healthchecks() as works:
        host.urls(f"mended=json{works.url[4:]}/api/push/a", "json://127.0.0.1:9")
        told = dict(sender.test(settings.load(host.given), host.state, "node1"))
    assert told.pop("json (line 2)")
    assert told == {f"on_change_command {host.program}": "", "json (line 1)": ""}
    assert host.told.read_text().split() == ["0" * 32]
    assert not (host.state / state_files.NOTIFY).exists()


def test_one_at_a_time(host: Host) -> None:
    host.put(message())
    with lock.make(host.state / state_files.NOTIFY_LOCK):
        assert host.send() == []
    assert host.said == ["another one is sending"]
    assert host.send() == [message().id]


@pytest.mark.parametrize("content", ["", "[]", "{", '{"reached": [1]}', '{"troubles": {"a": 1}}'])
def test_what_is_kept_may_be_damaged(host: Host, content: str) -> None:
    (host.state / state_files.NOTIFY).write_text(content)
    host.put(message())
    assert host.send() == [message().id]


def kill_while(host: Host, condition: Callable[[], bool]) -> None:
    """Run the program, and kill it once a condition holds."""
    command = [sys.executable, "-m", "comfywatchman.cli", "notify", "--send"]
    environment = os.environ | {
        "COMFYWATCHMAN_STATE_DIR": str(host.state),
        "COMFYWATCHMAN_ON_CHANGE_COMMAND": str(host.program),
    }
    process = subprocess.Popen(command, env=environment, cwd=REPOSITORY, stderr=subprocess.DEVNULL)
    give_up = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_k_kills_tell_it_at_most_once_more_each(host: Host) -> None:
    host._program(f'echo "$COMFYWATCHMAN_MESSAGE" >> "{host.told}"; sleep 30')
    host.put(message(priority=Priority.NOTICE))
    for kills in range(1, 4):
        kill_while(host, lambda: host.told.exists() and len(host.told.read_text().split()) == kills)  # noqa: B023
    assert host.pending() == [message().id]
    host.works()
    assert host.send() == [message().id] * 4
    assert host.pending() == []


@pytest.mark.parametrize("there", [True, False])
def test_what_is_in_doubt_is_told_after_a_second_look_alone(host: Host, *, there: bool) -> None:
    now = datetime.now(UTC)
    doubtful = message(1, doubt=Doubt(not_before=now, node_types=("EmptyImage" if there else "X",)))
    host.put(doubtful, message(2))
    with StandIn() as server:
        host.given["comfyui_url"] = server.url
        told = host.send()
    assert told == [message(2).id] if there else [message(2).id, doubtful.id]
    assert host.pending() == []
