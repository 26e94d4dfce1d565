"""The command line, as far as it needs no server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from comfywatchman import __version__, state, state_files
from comfywatchman.errors import Exit
from tests.unit.program import run


def test_help_and_version() -> None:
    shown = run("--help")
    assert shown.returncode == Exit.OK
    assert "--run-check" in shown.stdout
    assert run("--version", module="comfywatchman").stdout == f"comfywatchman {__version__}\n"
    assert "--comfyui-url" in run("check", "--help").stdout


def test_wrong_usage_is_exit_2_without_a_traceback(tmp_path: Path) -> None:
    for arguments in (
        ["--nonsense"],
        ["check", "--nonsense"],
        ["check", tmp_path / "gone.json"],
        ["check", "--object-info", tmp_path / "x.json"],
        ["check", "--format", "pdf"],
    ):
        ended = run(*arguments)
        assert ended.returncode == Exit.USAGE, arguments
        assert "Traceback" not in ended.stderr


def test_run_check_and_check_are_one_command() -> None:
    assert run("--run-check", "--format", "pdf").stderr == run("check", "--format", "pdf").stderr


def test_an_installation_that_lacks_a_module_is_a_sentence_and_on_record() -> None:
    program = (
        "import sys; sys.modules['langgraph.graph'] = None; sys.argv = ['x', '--run-check'];"
        "from comfywatchman.cli import main; main()"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.returncode == Exit.INTERNAL
    assert "Traceback" not in ended.stderr
    assert "a bug of ComfyWatchman" in ended.stderr
    last_run = json.loads((state.default_dir() / state_files.LAST_RUN).read_text())
    assert last_run["outcome"] == "failed"
    assert "langgraph" in last_run["reason"]


def test_what_cannot_be_shown_leaves_the_record_of_the_cycle_alone(tmp_path: Path) -> None:
    record = tmp_path / state_files.LAST_RUN
    record.write_text('{"outcome": "done"}')
    program = [sys.executable, "-m", "comfywatchman.cli", "status"]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            program,
            env=os.environ | {"COMFYWATCHMAN_STATE_DIR": str(tmp_path)},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert ended.returncode == Exit.UNWRITABLE
    assert ended.stderr == (
        "comfywatchman: standard output cannot be written: No space left on device\n"
    )
    assert record.read_text() == '{"outcome": "done"}'


def test_closed_streams_cost_no_cycle(flow: Path, object_info: Path) -> None:
    command = [sys.executable, "-m", "comfywatchman.cli", "check", flow, "--fail-on", "broken"]
    closed = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *command, "--object-info", object_info]
    assert subprocess.run(closed).returncode == Exit.OK
    full = ["sh", "-c", 'exec "$@" 2>/dev/full', "sh", *command, "--object-info", object_info]
    assert subprocess.run(full, stdout=subprocess.DEVNULL).returncode == Exit.OK


@pytest.mark.parametrize(("form", "unbuffered"), [("text", ""), ("json", "1")])
def test_a_report_that_cannot_be_shown_is_no_bug(
    flow: Path, object_info: Path, form: str, unbuffered: str
) -> None:
    command = [sys.executable, "-m", "comfywatchman.cli", "check", flow, "--format", form]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [*command, "--object-info", object_info],
            env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert ended.returncode == Exit.UNWRITABLE
    assert ended.stderr.endswith("standard output cannot be written: No space left on device\n")
    assert "bug" not in ended.stderr
    assert "Exception ignored" not in ended.stderr


@pytest.mark.parametrize("form", ["json", "markdown"])
def test_a_reader_that_goes_away_is_not_taken_for_a_verdict(
    flow: Path, object_info: Path, form: str
) -> None:
    command = [sys.executable, "-m", "comfywatchman.cli", "check", flow, "--format", form]
    process = subprocess.Popen(
        [*command, "--object-info", object_info],
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    process.stdout.close()
    _, said = process.communicate(timeout=60)
    assert process.returncode == Exit.UNWRITABLE
    assert said.endswith("standard output cannot be written: Broken pipe\n")
    assert "Exception ignored" not in said
