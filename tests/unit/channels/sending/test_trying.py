"""One try: how long it may take, and from when on that counts."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from comfywatchman.channels.sending import trying
from comfywatchman.channels.sending.target import Target

if TYPE_CHECKING:
    from pathlib import Path

SENT = """echo '{"why": "", "waits": false, "keep": {"id": 1}}'"""


@pytest.mark.parametrize(
    ("script", "limit", "whole", "why"),
    [
        (f"sleep 1; echo; {SENT}", 0.9, 60, ""),
        (f"echo; {SENT}", 60, 60, ""),
        ("echo; sleep 60", 0.1, 60, "it took longer than 0 s"),
        ("echo; sleep 60", 60, 0.6, "it took longer than "),
        ("sleep 60", 60, 0.1, "what sends it was not ready within 0 s"),
        ("exit 3", 60, 60, "the process that sends ended early (exit code 3)"),
        ("echo; exit 3", 60, 60, "the process that sends ended early (exit code 3)"),
        ("echo; echo '{}'", 60, 60, "the process that sends ended early (exit code 0)"),
    ],
)
def test_what_becomes_of_a_try(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    script: str,
    limit: float,
    whole: float,
    why: str,
) -> None:
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    outcome = trying.attempt(Target("command", "it"), None, {}, limit, whole)
    assert outcome.why.startswith(why)
    assert bool(outcome.why) is bool(why)
    assert outcome.keep == ({} if why else {"id": 1})
