"""Quiet for maintenance: it ends by itself, and what is damaged keeps nothing quiet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from comfywatchman import state_files
from comfywatchman.errors import Exit
from comfywatchman.events import quiet
from comfywatchman.events.quiet import Quiet
from tests.unit.program import run

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_it_holds_until_its_end(tmp_path: Path) -> None:
    begun = Quiet(NOW, NOW + 2 * HOUR)
    quiet.begin(tmp_path, begun)
    assert quiet.read(tmp_path, NOW) == begun
    assert quiet.read(tmp_path, NOW + 2 * HOUR) is None
    assert quiet.read(tmp_path, NOW - HOUR) is None
    quiet.end(tmp_path)
    quiet.end(tmp_path)
    assert quiet.read(tmp_path, NOW) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"since": 1, "until": 2}',
        b'{"since": "2026-01-01", "until": "9999-12-31T23:59:59-12:00"}',
        b'{"since": "2026-01-01T00:00Z"}',
    ],
)
def test_what_is_damaged_keeps_nothing_quiet(tmp_path: Path, content: bytes) -> None:
    (tmp_path / state_files.QUIET).write_bytes(content)
    assert quiet.read(tmp_path, NOW) is None


def test_the_command(tmp_path: Path) -> None:
    state = "--state-dir", tmp_path / "state"
    assert "not quiet" in run("quiet", *state).stdout
    begun = run("quiet", "until", "2h", *state)
    assert begun.returncode == 0, begun.stderr
    assert begun.stdout.startswith("quiet until 20")
    first = quiet.read(tmp_path / "state")
    assert first is not None
    assert run("quiet", "until", "3h", *state).returncode == 0
    later = quiet.read(tmp_path / "state")
    assert later is not None
    assert later.since == first.since
    assert later.until > first.until
    assert "quiet until 20" in run("quiet", *state).stdout
    assert "nobody is told anything until 20" in run("status", *state).stdout
    assert "messages are sent again" in run("quiet", "--end", *state).stdout
    assert "it was not quiet" in run("quiet", "--end", *state).stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["until"], "say one thing"),
        (["for", "2h"], "say one thing"),
        (["until", "2h", "--end"], "say one thing"),
        (["until", "31d"], "is too far ahead: 30 days are the most"),
        (["until", "2020-01-01"], "is over"),
        (["until", "soon\x1b"], "is no time"),
    ],
)
def test_what_it_does_not_understand(tmp_path: Path, words: list[str], said: str) -> None:
    ended = run("quiet", *words, "--state-dir", tmp_path / "state")
    assert ended.returncode == Exit.USAGE
    assert said in ended.stderr
    assert not (tmp_path / "state").exists()
