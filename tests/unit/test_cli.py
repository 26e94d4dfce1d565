"""The command line, as far as it needs no server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from comfywatchman import __version__, state
from comfywatchman.errors import Exit
from tests.standin.comfyui import recorded_object_info

PROMPT = {
    "1": {
        "class_type": "EmptyImage",
        "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": 0},
    },
    "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
}


def run(*arguments: object, module: str = "comfywatchman.cli") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture
def object_info(tmp_path: Path) -> Path:
    file = tmp_path / "object_info.json"
    file.write_bytes(recorded_object_info("full"))
    return file


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    file = tmp_path / "flows" / "flow.json"
    file.parent.mkdir()
    file.write_text(json.dumps(PROMPT))
    return file


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


def test_a_check_with_a_saved_catalog_prints_the_report_and_keeps_nothing(
    flow: Path, object_info: Path
) -> None:
    ended = run("check", flow, "--object-info", object_info, "--format", "json")
    assert ended.returncode == Exit.OK
    report = json.loads(ended.stdout)
    assert [(w["name"], w["verdict"]) for w in report["workflows"]] == [("flow.json", "runnable")]
    assert not state.default_dir().exists()


def test_fail_on(flow: Path, object_info: Path) -> None:
    flow.write_text(json.dumps({**PROMPT, "3": {"class_type": "Gone", "inputs": {}}}))
    arguments = ["check", flow, "--object-info", object_info]
    assert run(*arguments).returncode == Exit.OK
    assert run(*arguments, "--fail-on", "broken").returncode == Exit.FAIL_ON
    assert run(*arguments, "--fail-on", "partial").returncode == Exit.FAIL_ON


def test_a_catalog_that_is_none_is_a_sentence(flow: Path, tmp_path: Path) -> None:
    for content in (b"", b"{}", b"[]", b'{"error": "x"}', b"\xff\xfe"):
        file = tmp_path / "catalog.json"
        file.write_bytes(content)
        ended = run("check", flow, "--object-info", file)
        assert ended.returncode == Exit.CONFIG
        assert ended.stderr.startswith(f"comfywatchman: --object-info: {file} is not")


def test_convert_prints_the_prompt(flow: Path, object_info: Path) -> None:
    ended = run("convert", flow, "--object-info", object_info)
    assert json.loads(ended.stdout) == PROMPT


def test_convert_of_a_folder_prints_one_line_a_file(flow: Path, object_info: Path) -> None:
    broken = flow.with_name("broken.json")
    broken.write_text('{"nodes": [')
    ended = run("convert", flow.parent, "--object-info", object_info, "--jsonl")
    assert ended.returncode == Exit.OK
    first, second = map(json.loads, ended.stdout.splitlines())
    assert first["path"] == str(broken)
    assert "ends in the middle" in first["error"]
    assert second == {"path": str(flow), "prompt": PROMPT}
    refused = run("convert", flow.parent, "--object-info", object_info)
    assert refused.returncode == Exit.USAGE
    assert "2 workflows were found: give one file, or --jsonl" in refused.stderr


def test_paths_in_flags_are_relative_to_here(
    flow: Path, object_info: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(flow.parent)
    (flow.parent / "input").mkdir()
    arguments = ["--workflow-dirs", ".", "--comfyui-dir", ".", "--object-info", object_info]
    ended = run("check", *arguments, "--format", "json")
    assert ended.returncode == Exit.OK, ended.stderr
    assert [w["path"] for w in json.loads(ended.stdout)["workflows"]] == [str(flow)]
    ended = run("check", "--ca-file", "x.pem", "--comfyui-url", "https://localhost:1")
    assert ended.returncode == Exit.CONFIG
    ended = run("status", "--state-dir", "~nobody-of-that-name")
    assert f"{flow.parent}/~nobody-of-that-name" in ended.stdout
    ended = run("check", "--ca-file", "x.pem", "--comfyui-url", "https://localhost:1")
    assert f"ca_file: {flow.parent}/x.pem cannot be used" in ended.stderr


def test_a_report_that_is_not_there_makes_no_folder(tmp_path: Path) -> None:
    assert run("report", "--state-dir", tmp_path / "none").returncode == Exit.CONFIG
    assert not (tmp_path / "none").exists()


def test_report_before_there_is_one_and_of_a_damaged_one(tmp_path: Path) -> None:
    ended = run("report", "--state-dir", tmp_path)
    assert ended.returncode == Exit.CONFIG
    assert "there is no report yet" in ended.stderr
    (tmp_path / state.LATEST).write_text("{}")
    ended = run("report", "--state-dir", tmp_path)
    assert ended.returncode == Exit.CONFIG
    assert "is damaged or of another version" in ended.stderr


def test_an_installation_that_lacks_a_module_is_a_sentence_and_on_record() -> None:
    program = (
        "import sys; sys.modules['langgraph.graph'] = None; sys.argv = ['x', '--run-check'];"
        "from comfywatchman.cli import main; main()"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.returncode == Exit.INTERNAL
    assert "Traceback" not in ended.stderr
    assert "a bug of ComfyWatchman" in ended.stderr
    last_run = json.loads((state.default_dir() / state.LAST_RUN).read_text())
    assert last_run["outcome"] == "failed"
    assert "langgraph" in last_run["reason"]


def test_what_cannot_be_shown_leaves_the_record_of_the_cycle_alone(tmp_path: Path) -> None:
    record = tmp_path / state.LAST_RUN
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
