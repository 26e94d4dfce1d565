"""``on_change_command``: what it is told, and what it is not."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from comfywatchman import settings, state
from comfywatchman.channels import command
from comfywatchman.channels.sending.target import ChannelError
from comfywatchman.events.message import Topic
from tests.unit.events.messages import message

if TYPE_CHECKING:
    from pathlib import Path

TELL = (
    "import json, os, sys; "
    "told = {k: v for k, v in os.environ.items() if k.startswith(('COMFYWATCHMAN', 'CRED'))}; "
    "open(sys.argv[1], 'w').write(json.dumps([told, sys.stdin.read()]))"
)


def test_it_is_told_what_it_is_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials")
    words = [sys.executable, "-c", TELL, str(tmp_path / "told")]
    (target,) = command.targets(
        settings.load({"on_change_command": words, "state_dir": tmp_path / "state"})
    )
    assert target.name == f"on_change_command {sys.executable}"
    both = message(1, topics=(Topic.WORSE, Topic.MENDED), subject="host: x\0y")
    assert command.send(target.given, both, {}) == {}
    environment, text = json.loads((tmp_path / "told").read_text())
    assert environment == {
        "COMFYWATCHMAN_MESSAGE": both.id,
        "COMFYWATCHMAN_TOPICS": "worse,mended",
        "COMFYWATCHMAN_PRIORITY": "warning",
        "COMFYWATCHMAN_SUBJECT": "host: x\\x00y",
        "COMFYWATCHMAN_REPORT": both.report,
        "COMFYWATCHMAN_HOST": "host",
        "COMFYWATCHMAN_STATE_DIR": str(tmp_path / "state"),
    }
    assert text == "host: x\\x00y\n\na\nb\n"


def test_a_comfywatchman_that_it_starts_accepts_its_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in state.CHANGE_VARIABLES:
        monkeypatch.setenv(name, "x")
    settings.load({})


def test_one_that_fails_is_told() -> None:
    given = {"state_dir": "/x", "command": ["/bin/sh", "-c", "exit 3"]}
    with pytest.raises(ChannelError, match="exit code 3"):
        command.send(given, message(), {})
    with pytest.raises(ChannelError, match="cannot be started"):
        command.send(given | {"command": ["/nonexistent"]}, message(), {})


def test_one_that_does_not_read_is_well() -> None:
    given = {"state_dir": "/x", "command": ["/bin/true"]}
    assert command.send(given, message(body="x\n" * 100_000), {}) == {}
