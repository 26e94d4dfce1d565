"""A message of another program's, passed on: once by each channel, whenever it is there again."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from comfywatchman.channels.sending import relaying
from comfywatchman.errors import Exit
from comfywatchman.events.message import Priority, Topic

if TYPE_CHECKING:
    from pathlib import Path

ID = "0123456789abcdef0123456789abcdef"
GIVEN = {
    "COMFYWATCHMAN_MESSAGE": ID,
    "COMFYWATCHMAN_TOPICS": "silent,problem",
    "COMFYWATCHMAN_PRIORITY": "warning",
    "COMFYWATCHMAN_SUBJECT": "gpu3 fell silent",
    "COMFYWATCHMAN_REPORT": "/srv/fleet.html",
    "COMFYWATCHMAN_HOST": "controller",
}
TEXT = "gpu3 fell silent\n\ngpu3: no route to host\ngpu4 too\n"


def test_it_is_what_it_was() -> None:
    made = relaying.message_of(GIVEN, TEXT)
    assert (made.id, made.topics) == (ID, (Topic.SILENT, Topic.PROBLEM))
    assert (made.priority, made.host) == (Priority.WARNING, "controller")
    assert made.subject == "gpu3 fell silent"
    assert made.body == "gpu3: no route to host\ngpu4 too"
    assert made.report == "/srv/fleet.html"


def test_what_lacks_is_made_up_for_and_nothing_acts_on_a_screen() -> None:
    made = relaying.message_of({"COMFYWATCHMAN_MESSAGE": "mine\udc80"}, "a\x1b[2J\ud800")
    assert (made.subject, made.body) == ("a\\x1b[2J\\ud800",) * 2
    assert (made.topics, made.priority) == ((Topic.SUMMARY,), Priority.NOTICE)
    assert len(made.id) == len(ID)
    assert made.host == made.report != ""
    assert relaying.message_of({}, "a").id != relaying.message_of({}, "a").id


@pytest.mark.parametrize("variable", ["TOPICS", "PRIORITY"])
def test_a_word_that_is_none_is_refused(variable: str) -> None:
    with pytest.raises(ValueError, match=f"COMFYWATCHMAN_{variable}: loud.n is none of "):
        relaying.message_of({f"COMFYWATCHMAN_{variable}": "loud\n"}, "a")


class Relay:
    """The program, with a channel that notes what it is told, and may be down."""

    def __init__(self, folder: Path) -> None:
        self.down, self.told_file = folder / "down", folder / "told"
        channel, self.config = folder / "channel", folder / "config.toml"
        channel.write_text(
            f'#!/bin/sh\n[ ! -e "{self.down}" ] || exit 1\necho "$COMFYWATCHMAN_SUBJECT" '
            f'>>"{self.told_file}"\n'
        )
        channel.chmod(0o700)
        self.config.write_text(f'state_dir = "{folder}/state"\non_change_command = ["{channel}"]\n')

    def tells(self, text: str, **given: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "comfywatchman.cli", "notify", "--relay"]
        return subprocess.run(
            [*command, f"--config={self.config}"],
            input=text,
            capture_output=True,
            text=True,
            env=GIVEN | given,
        )

    @property
    def told(self) -> list[str]:
        return self.told_file.read_text().splitlines() if self.told_file.exists() else []


def test_it_waits_for_a_channel_that_is_down_and_is_told_once(tmp_path: Path) -> None:
    relay = Relay(tmp_path)
    relay.down.touch()
    for _ in range(2):  # told again by who was killed in between
        done = relay.tells(TEXT)
        assert (done.returncode, done.stdout) == (Exit.OK, "")
        assert "not sent: it ended with exit code 1" in done.stderr
    assert relay.told == []
    relay.down.unlink()
    for text in ("", TEXT, " \n"):
        assert relay.tells(text).returncode == Exit.OK
    assert relay.told == ["gpu3 fell silent"]
    assert relay.tells(TEXT, COMFYWATCHMAN_MESSAGE=ID[::-1]).returncode == Exit.OK
    assert relay.told == ["gpu3 fell silent"] * 2


def test_what_cannot_be_passed_on_is_a_sentence(tmp_path: Path) -> None:
    relay = Relay(tmp_path)
    done = relay.tells(TEXT, COMFYWATCHMAN_TOPICS="loud")
    assert (done.returncode, relay.told) == (Exit.USAGE, [])
    assert "loud" in done.stderr
    relay.config.write_text(f'state_dir = "{tmp_path}/state"\n')
    done = relay.tells(TEXT)
    assert done.returncode == Exit.CONFIG
    assert "no channel is set up that messages go by" in done.stderr
    assert "Traceback" not in done.stderr
