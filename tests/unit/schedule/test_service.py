"""What is told of a service that failed: of this start, never of the one before."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from comfywatchman import started, state_files
from comfywatchman.errors import Exit
from comfywatchman.schedule import ending, failure, service
from tests.unit.role.collection import PLUGINS

if TYPE_CHECKING:
    from pathlib import Path

BEFORE: dict[str, Any] = {
    "invocation": "a",
    "outcome": "failed",
    "reason": "as it was before",
    "finished_at": "2099-01-01T00:00:00+00:00",
}


@pytest.mark.parametrize(
    ("last_run", "start", "code", "recorded"),
    [
        (BEFORE, "a", 1, True),
        (BEFORE, "b", 1, False),
        (BEFORE, "", 1, True),  # not known
        (BEFORE, "a", 203, False),  # whatever is on record: the program was not started
        ({}, "b", 1, True),  # left by an older release
        ({}, "b", 200, False),
        (BEFORE, "b", None, False),  # killed before it could say so
    ],
)
def test_whose_word_is_on_record(
    last_run: dict[str, Any], start: str, code: int | None, recorded: bool
) -> None:
    assert service.is_recorded(last_run, start, code) is recorded


def test_a_notification_does_not_tell_the_words_of_an_earlier_cycle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datetime import UTC, datetime

    import orjson

    monkeypatch.setenv("COMFYWATCHMAN_ON_FAILURE_COMMAND", "")
    now = BEFORE | {"finished_at": datetime.now(UTC)}
    (tmp_path / state_files.LAST_RUN).write_bytes(orjson.dumps(now))

    def told(invocation: str, status: str) -> list[str]:
        said: list[str] = []
        failed = failure.Failure("u", "exit-code", status, invocation=invocation)
        failure.handle(failed, tmp_path, None, lambda _, line: said.append(line))
        return said

    assert told("a", "1")[0] == "u failed: workflows are as bad as fail_on says: as it was before"
    assert told("b", "1")[0] == (
        "u failed: its program ended with exit code 1 before a cycle began: it is damaged"
    )
    assert told("b", "1")[1].startswith("what to do: deploy it again")
    assert told("b", "78")[0] == "u failed: its configuration is wrong"
    assert told("a", "203")[0] == (
        "u failed: its program cannot be started: the installation is damaged"
    )


def test_the_id_of_a_start_is_the_own_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVOCATION_ID", "of a terminal")
    monkeypatch.setenv("SYSTEMD_EXEC_PID", "1")
    assert started.invocation() == ""
    monkeypatch.setenv("SYSTEMD_EXEC_PID", str(os.getpid()))
    assert started.invocation() == "of a terminal"
    monkeypatch.delenv("SYSTEMD_EXEC_PID")  # systemd 247
    assert started.invocation() == "of a terminal"


def test_every_exit_code_of_ours_has_its_words() -> None:
    for code in set(Exit) - {Exit.OK, Exit.LOCKED, Exit.UNKNOWN}:  # no cycle ends in the last one
        why, remedy = ending.explain("exit-code", str(int(code)))
        assert "exit code" not in why
        assert remedy
    assert "exit code 219" in ending.explain("exit-code", "219")[0]
    assert ending.explain_unrecorded("signal", "9")[0] == "it was killed by SIGKILL"
    assert (PLUGINS / "module_utils" / "ending.py").resolve().name == "ending.py"
    assert (PLUGINS / "module_utils" / "ending.py").is_symlink()


def test_a_step_before_the_program_is_no_damage_of_it() -> None:
    why, remedy = ending.explain_unrecorded("exit-code", "0")
    assert "a step before its program failed" in why
    assert "damaged" not in why
    assert "state folder" in remedy
